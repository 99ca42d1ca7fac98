package main

import (
	"context"
	"encoding/json"
	"math"
	"math/rand"
	"net"
	"strconv"
	"time"
)

// Calls, conferences and games: datagrams both ways. The client's first packet
// carries the numbers of what it wants to receive; the peer sends that for as
// long as packets keep coming.

var datagramPorts = []int{3478, 3479, 5004, 5060, 8801, 19302, 27015, 30000}

// flowSpec is one direction's medium.
//
// A voice flow sends packets each period_ms while someone talks (talk_s, hush_s);
// a picture flow sends frames of kbps/fps split into packets of at most packet.
type flowSpec struct {
	Kind     string  `json:"kind"`
	PeriodMS float64 `json:"period_ms"`
	Size     Range   `json:"size"`
	TalkS    Range   `json:"talk_s"`
	HushS    Range   `json:"hush_s"`
	HushMS   float64 `json:"hush_ms"`
	Kbps     float64 `json:"kbps"`
	Fps      float64 `json:"fps"`
	Sigma    float64 `json:"sigma"`
	KeyS     float64 `json:"key_s"`
	Packet   int     `json:"packet"`
}

type udpSpec struct {
	Host  string     `json:"host"`
	Port  int        `json:"port"`
	Up    []flowSpec `json:"up"`
	Down  []flowSpec `json:"down"`
	CallS Range      `json:"call_s"`
	GapS  Range      `json:"gap_s"`
}

func datagrams(ctx context.Context, _ *Net, rng *rand.Rand, _ string, raw json.RawMessage) error {
	spec := udpSpec{}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	for ctx.Err() == nil {
		length := spec.CallS.pick(rng)
		if length <= 0 {
			length = 1e6
		}
		call, end := context.WithTimeout(ctx, seconds(length))
		err := spec.call(call, rng)
		<-call.Done()
		end()
		if err != nil {
			return err
		}
		if !pause(ctx, math.Max(1, spec.GapS.pick(rng))) {
			break
		}
	}
	return nil
}

func (s *udpSpec) call(ctx context.Context, rng *rand.Rand) error {
	conn, err := net.Dial("udp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		conn.Close()
	}()
	hello, err := json.Marshal(s.Down)
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 2048)
		for ctx.Err() == nil {
			if _, err := conn.Read(buffer); err != nil && !pause(ctx, .1) {
				return
			}
		}
	}()
	for i := 0; i < 3; i++ {
		_, _ = conn.Write(append([]byte("hello"), hello...))
		pause(ctx, .1)
	}
	for _, flow := range s.Up {
		go flow.send(ctx, rand.New(rand.NewSource(rng.Int63())), func(p []byte) { _, _ = conn.Write(p) })
	}
	return nil
}

// send runs one medium until ctx ends.
func (f flowSpec) send(ctx context.Context, rng *rand.Rand, write func([]byte)) {
	if f.Kind == "picture" {
		f.picture(ctx, rng, write)
		return
	}
	talking := rng.Float64() < .5
	for ctx.Err() == nil {
		until := time.Now().Add(seconds(f.TalkS.pick(rng)))
		period := f.PeriodMS
		if f.TalkS[1] <= 0 {
			until = time.Now().Add(time.Hour)
		} else if !talking {
			until, period = time.Now().Add(seconds(f.HushS.pick(rng))), f.HushMS
		}
		next := time.Now()
		for ctx.Err() == nil && time.Now().Before(until) {
			if period <= 0 {
				pause(ctx, .2)
				next = time.Now()
				continue
			}
			write(filler[:int(f.Size.pick(rng))])
			next = next.Add(seconds(period / 1000))
			pause(ctx, time.Until(next).Seconds())
		}
		talking = !talking
	}
}

func (f flowSpec) picture(ctx context.Context, rng *rand.Rand, write func([]byte)) {
	level, frame := 1.0, 0
	next := time.Now()
	for ctx.Err() == nil {
		level = math.Max(.3, math.Min(1.8, level+.02*rng.NormFloat64()))
		size := f.Kbps * 125 / f.Fps * level * math.Exp(f.Sigma*rng.NormFloat64()-f.Sigma*f.Sigma/2)
		if f.KeyS > 0 && frame%int(math.Max(1, f.KeyS*f.Fps)) == 0 {
			size *= 5
		}
		for left := int(size) + 1; left > 0; left -= f.Packet {
			part := left
			if part > f.Packet {
				part = f.Packet
			}
			write(filler[:part])
		}
		frame++
		next = next.Add(seconds(1 / f.Fps))
		pause(ctx, time.Until(next).Seconds())
	}
}

// peerIdle is how long a peer sends without hearing from the client.
const peerIdle = 5 * time.Second

// peer is the far end of calls: it serves each address that said hello.
func peer(listener net.PacketConn) {
	type caller struct {
		heard time.Time
		stop  context.CancelFunc
	}
	callers := map[string]*caller{}
	buffer := make([]byte, 2048)
	for {
		count, address, err := listener.ReadFrom(buffer)
		if err != nil {
			return
		}
		now := time.Now()
		for key, one := range callers {
			if now.Sub(one.heard) > peerIdle {
				one.stop()
				delete(callers, key)
			}
		}
		if one := callers[address.String()]; one != nil {
			one.heard = now
			continue
		}
		var flows []flowSpec
		if count < 5 || string(buffer[:5]) != "hello" || json.Unmarshal(buffer[5:count], &flows) != nil {
			continue
		}
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Hour)
		callers[address.String()] = &caller{heard: now, stop: stop}
		for _, flow := range flows {
			go flow.send(ctx, rand.New(rand.NewSource(now.UnixNano())), func(p []byte) { _, _ = listener.WriteTo(p, address) })
		}
	}
}
