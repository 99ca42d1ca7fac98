package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"sync"
)

func pacing(kbps, burst float64) string {
	return fmt.Sprintf("&kbps=%.0f&burst=%.0f", kbps, burst)
}

// feedSpec is a short-form vertical feed: clips, fetched ahead, swiped away.
type feedSpec struct {
	Hosts    []string `json:"hosts"`
	API      string   `json:"api"`
	ClipS    Range    `json:"clip_s"`
	Kbps     Range    `json:"kbps"`
	WatchS   Range    `json:"watch_s"`
	Ahead    int      `json:"ahead"`
	FirstKB  float64  `json:"first_kb"`
	RestS    Range    `json:"rest_s"`
	RestOdds float64  `json:"rest_odds"`
}

type clip struct {
	size  int64
	first int64
	kbps  float64
	ready chan struct{}
}

func (s *feedSpec) clip(rng *rand.Rand) *clip {
	kbps := s.Kbps.pick(rng)
	size := int64(kbps * 125 * s.ClipS.pick(rng))
	first := int64(s.FirstKB * 1024)
	if first <= 0 || first > size {
		first = size
	}
	return &clip{size: size, first: first, kbps: kbps, ready: make(chan struct{})}
}

func feed(ctx context.Context, net *Net, rng *rand.Rand, class string, raw json.RawMessage) error {
	spec := feedSpec{}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	var prefetch sync.Mutex
	load := func(c *clip, index int) {
		prefetch.Lock()
		defer prefetch.Unlock()
		_, _ = net.get(ctx, spec.Hosts[index%len(spec.Hosts)], c.first, "", nil)
		close(c.ready)
	}
	_, _ = net.get(ctx, spec.API, int64(Range{30, 200}.pick(rng)*1024), "", nil)
	var queue []*clip
	for index := 0; ctx.Err() == nil; index++ {
		for len(queue) <= spec.Ahead {
			next := spec.clip(rng)
			queue = append(queue, next)
			go load(next, index+len(queue))
		}
		current := queue[0]
		queue = queue[1:]
		if !awaitClip(ctx, current, class) {
			break
		}
		watch := spec.WatchS.pick(rng)
		if current.first < current.size && watch > 3 {
			go func() { _, _ = net.get(ctx, spec.Hosts[0], current.size-current.first, "", nil) }()
		}
		if index%6 == 5 {
			go func() { _, _ = net.get(ctx, spec.API, 40<<10, "", nil) }()
		}
		go func() { _, _ = net.post(ctx, spec.API, 1200, 0, .5) }()
		if !watchClip(ctx, class, watch, current.kbps) {
			break
		}
		if rng.Float64() < spec.RestOdds {
			rest(ctx, class, spec.RestS.pick(rng))
		}
	}
	report("state", map[string]interface{}{"class": class, "state": "stopped"})
	return nil
}

func awaitClip(ctx context.Context, c *clip, class string) bool {
	select {
	case <-c.ready:
		return ctx.Err() == nil
	default:
	}
	report("state", map[string]interface{}{"class": class, "state": "buffering"})
	select {
	case <-c.ready:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func watchClip(ctx context.Context, class string, watch, kbps float64) bool {
	for watch > 0 {
		report("state", map[string]interface{}{"class": class, "state": "playing", "kbps": math.Round(kbps)})
		if !pause(ctx, math.Min(1, watch)) {
			return false
		}
		watch--
	}
	return true
}

// rest is the user looking away with the feed paused.
func rest(ctx context.Context, class string, length float64) {
	for length > 0 && ctx.Err() == nil {
		report("state", map[string]interface{}{"class": class, "state": "paused"})
		pause(ctx, math.Min(1, length))
		length--
	}
}
