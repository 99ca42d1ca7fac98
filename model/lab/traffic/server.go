package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lucas-clemente/quic-go/http3"
)

// The farm answers the same on each address; host names and addresses are what
// makes it many services. HTTP/1.1 and HTTP/2 over TCP, HTTP/3 over UDP, and
// the datagram peer of calls and games on ports of its own.

var filler = func() []byte {
	block := make([]byte, 64<<10)
	state := uint64(88172645463325252)
	for i := range block {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		block[i] = byte(state)
	}
	return block
}()

func serve(cert, key, root string, addresses, h1 []string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/b", sendBytes)
	mux.HandleFunc("/up", takeBytes)
	mux.HandleFunc("/poll", longPoll)
	mux.HandleFunc("/stream", sendStream)
	if root != "" {
		mux.Handle("/f/", http.StripPrefix("/f/", noStore(http.FileServer(http.Dir(root)))))
		mux.HandleFunc("/live/", livePlaylist(root))
	}
	failed := make(chan error)
	for _, address := range addresses {
		config := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			for _, name := range h1 {
				if name != "" && hello.ServerName == name {
					return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}, nil
				}
			}
			return nil, nil
		}
		tcp := &http.Server{Addr: net.JoinHostPort(address, "443"), Handler: mux, TLSConfig: config, ReadHeaderTimeout: 30 * time.Second}
		go func() { failed <- tcp.ListenAndServeTLS("", "") }()
		quic := &http3.Server{Addr: net.JoinHostPort(address, "443"), Handler: mux,
			TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}})}
		go func() { failed <- quic.ListenAndServe() }()
		for _, port := range datagramPorts {
			listener, err := net.ListenPacket("udp", net.JoinHostPort(address, strconv.Itoa(port)))
			if err != nil {
				return err
			}
			go peer(listener)
		}
	}
	return <-failed
}

func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		next.ServeHTTP(w, r)
	})
}

func number(r *http.Request, name string) float64 {
	value, err := strconv.ParseFloat(r.URL.Query().Get(name), 64)
	if err != nil {
		return 0
	}
	return value
}

// sendBytes answers /b?n=BYTES[&kbps=RATE&burst=BYTES][&think=MS].
func sendBytes(w http.ResponseWriter, r *http.Request) {
	if think := number(r, "think"); think > 0 && !pause(r.Context(), think/1000) {
		return
	}
	size := int64(number(r, "n"))
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	kbps, burst := number(r, "kbps"), int64(number(r, "burst"))
	start, sent := time.Now(), int64(0)
	for sent < size {
		part := filler[sent%4096:]
		if int64(len(part)) > size-sent {
			part = part[:size-sent]
		}
		if kbps > 0 && sent > burst {
			ahead := float64(sent-burst)*8/1000/kbps - time.Since(start).Seconds()
			if ahead > 0 && !pause(r.Context(), ahead) {
				return
			}
		}
		count, err := w.Write(part)
		sent += int64(count)
		if err != nil {
			return
		}
		if flusher, ok := w.(http.Flusher); ok && kbps > 0 {
			flusher.Flush()
		}
	}
}

// takeBytes answers POST /up?n=BYTES.
func takeBytes(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, 64<<10)
	for {
		if _, err := r.Body.Read(buffer); err != nil {
			break
		}
	}
	sendBytes(w, r)
}

// longPoll answers /poll?s=SECONDS&n=BYTES after waiting.
func longPoll(w http.ResponseWriter, r *http.Request) {
	if pause(r.Context(), number(r, "s")) {
		sendBytes(w, r)
	}
}

// sendStream answers /stream?kbps=&tick=MS&burst=BYTES: a radio that never ends.
func sendStream(w http.ResponseWriter, r *http.Request) {
	tick := number(r, "tick") / 1000
	if tick <= 0 {
		tick = .25
	}
	w.Header().Set("Content-Type", "audio/aac")
	size := int(number(r, "burst"))
	for {
		for size > 0 {
			part := filler
			if len(part) > size {
				part = part[:size]
			}
			if _, err := w.Write(part); err != nil {
				return
			}
			size -= len(part)
		}
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		if !pause(r.Context(), tick) {
			return
		}
		size = int(number(r, "kbps") * 1000 / 8 * tick)
	}
}

// livePlaylist turns the on-demand playlist of /live/PATH into a sliding window.
func livePlaylist(root string) http.HandlerFunc {
	started := time.Now()
	return func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/live/")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if !strings.HasSuffix(path, "/index.m3u8") {
			http.ServeFile(w, r, root+"/"+path)
			return
		}
		text, err := slidingWindow(root+"/"+path, time.Since(started).Seconds())
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
		_, _ = w.Write([]byte(text))
	}
}
