package main

import (
	"context"
	"encoding/json"
	"math/rand"
	"sync"
)

// transferSpec moves files: one after the other or conns at a time, whole or in
// chunks, as fast as the line or paced, down or up.
type transferSpec struct {
	Hosts    []string `json:"hosts"`
	Way      string   `json:"way"`
	FileMB   Range    `json:"file_mb"`
	ChunkMB  Range    `json:"chunk_mb"`
	ChunkGap Range    `json:"chunk_gap_s"`
	GapS     Range    `json:"gap_s"`
	Kbps     Range    `json:"kbps"`
	Pace     string   `json:"pace"`
	Conns    int      `json:"conns"`
	Files    int      `json:"files"`
	MetaKB   Range    `json:"meta_kb"`
}

func transfer(ctx context.Context, net *Net, rng *rand.Rand, class string, raw json.RawMessage) error {
	spec := transferSpec{}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	for file := 0; (spec.Files == 0 || file < spec.Files) && ctx.Err() == nil; file++ {
		if file > 0 && !pause(ctx, spec.GapS.pick(rng)) {
			break
		}
		if spec.MetaKB[1] > 0 {
			_, _ = net.get(ctx, spec.Hosts[0], int64(spec.MetaKB.pick(rng)*1024), "", nil)
		}
		spec.file(ctx, net, rng)
	}
	return nil
}

func (s *transferSpec) file(ctx context.Context, net *Net, rng *rand.Rand) {
	kbps := s.Kbps.pick(rng)
	conns := s.Conns
	if conns < 1 {
		conns = 1
	}
	pieces := make(chan int64)
	var wait sync.WaitGroup
	for i := 0; i < conns; i++ {
		wait.Add(1)
		host, own := s.Hosts[i%len(s.Hosts)], rand.New(rand.NewSource(rng.Int63()))
		go func() {
			defer wait.Done()
			for size := range pieces {
				s.piece(ctx, net, host, size, kbps/float64(conns))
				if s.ChunkGap[1] > 0 {
					pause(ctx, s.ChunkGap.pick(own))
				}
			}
		}()
	}
	for left := int64(s.FileMB.pick(rng) * 1e6); left > 0 && ctx.Err() == nil; {
		size := left
		if chunk := int64(s.ChunkMB.pick(rng) * 1e6); chunk > 0 && chunk < size {
			size = chunk
		}
		pieces <- size
		left -= size
	}
	close(pieces)
	wait.Wait()
}

func (s *transferSpec) piece(ctx context.Context, net *Net, host string, size int64, kbps float64) {
	switch {
	case s.Way == "up":
		_, _ = net.post(ctx, host, size, kbps, .5)
	case s.Pace == "server" && kbps > 0:
		_, _ = net.get(ctx, host, size, pacing(kbps, 256<<10), nil)
	default:
		_, _ = net.get(ctx, host, size, "", limit(ctx, kbps))
	}
}
