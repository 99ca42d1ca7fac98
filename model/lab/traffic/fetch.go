package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lucas-clemente/quic-go/http3"
)

func pow(a, b float64) float64 { return math.Pow(a, b) }

// Net is one application's way to the network: a connection pool of one protocol.
type Net struct {
	proto string
	http  *http.Client
	quic  *http3.RoundTripper
}

// newNet makes a pool: "h1" (at most 6 connections per host), "h2" or "h3".
func newNet(proto string) *Net {
	config := &tls.Config{InsecureSkipVerify: true}
	if proto == "h3" {
		tripper := &http3.RoundTripper{TLSClientConfig: config}
		return &Net{proto: proto, http: &http.Client{Transport: tripper}, quic: tripper}
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	transport := &http.Transport{
		TLSClientConfig:     config,
		DialContext:         dialer.DialContext,
		DisableCompression:  true,
		MaxConnsPerHost:     6,
		MaxIdleConnsPerHost: 6,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   proto == "h2",
		ReadBufferSize:      32 << 10,
	}
	if proto != "h2" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	} else {
		transport.MaxConnsPerHost = 0
	}
	return &Net{proto: proto, http: &http.Client{Transport: transport}}
}

func (n *Net) close() {
	n.http.CloseIdleConnections()
	if n.quic != nil {
		n.quic.Close()
	}
}

// gate is asked after each read; it may wait, and ends the transfer by returning false.
type gate func(total int64) bool

// get fetches size bytes from a host and returns the seconds it took.
func (n *Net) get(ctx context.Context, host string, size int64, extra string, more gate) (float64, error) {
	return n.fetch(ctx, fmt.Sprintf("https://%s/b?n=%d%s", host, size, extra), nil, more)
}

// post sends size bytes and reads a small answer. rateKbps 0 sends as fast as TCP does.
func (n *Net) post(ctx context.Context, host string, size int64, rateKbps, answerKB float64) (float64, error) {
	url := fmt.Sprintf("https://%s/up?n=%d", host, int64(answerKB*1024))
	body := &zeroes{ctx: ctx, left: size, rateKbps: rateKbps, start: time.Now()}
	return n.fetch(ctx, url, body, nil)
}

func (n *Net) fetch(ctx context.Context, url string, body *zeroes, more gate) (float64, error) {
	start := time.Now()
	method := http.MethodGet
	var reader io.Reader
	if body != nil {
		method, reader = http.MethodPost, body
	}
	request, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return 0, err
	}
	if body != nil {
		request.ContentLength = body.left
	}
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) lab")
	request.Header.Set("Cookie", "id="+strings.Repeat("c", 180))
	response, err := n.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	buffer := make([]byte, 16<<10)
	var total int64
	for {
		count, err := response.Body.Read(buffer)
		total += int64(count)
		if more != nil && !more(total) {
			return time.Since(start).Seconds(), nil
		}
		if err == io.EOF {
			return time.Since(start).Seconds(), nil
		}
		if err != nil {
			return time.Since(start).Seconds(), err
		}
	}
}

// limit paces a download at rateKbps by reading late: TCP and QUIC slow the sender.
func limit(ctx context.Context, rateKbps float64) gate {
	if rateKbps <= 0 {
		return nil
	}
	start := time.Now()
	return func(total int64) bool {
		ahead := float64(total)*8/1000/rateKbps - time.Since(start).Seconds()
		return ahead < .02 || pause(ctx, ahead)
	}
}

type zeroes struct {
	ctx      context.Context
	left     int64
	sent     int64
	rateKbps float64
	start    time.Time
}

func (z *zeroes) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	if z.rateKbps > 0 {
		ahead := float64(z.sent)*8/1000/z.rateKbps - time.Since(z.start).Seconds()
		if ahead > .02 && !pause(z.ctx, ahead) {
			return 0, z.ctx.Err()
		}
	}
	if len(p) > 16<<10 {
		p = p[:16<<10]
	}
	if int64(len(p)) > z.left {
		p = p[:z.left]
	}
	z.left -= int64(len(p))
	z.sent += int64(len(p))
	return len(p), nil
}
