package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"sync"
)

// task is something an app does again and again: look for mail, save, beat.
// Wait makes it a long poll that the server answers after so many seconds;
// kbps makes it one endless stream (radio, event channel).
type task struct {
	Host    string  `json:"host"`
	EveryS  Range   `json:"every_s"`
	DownKB  Range   `json:"down_kb"`
	UpKB    Range   `json:"up_kb"`
	Repeat  Range   `json:"repeat"`
	InnerS  Range   `json:"inner_s"`
	WaitS   Range   `json:"wait_s"`
	Kbps    float64 `json:"kbps"`
	TickMS  float64 `json:"tick_ms"`
	BurstKB float64 `json:"burst_kb"`
	FirstS  float64 `json:"first_s"`
	Proto   string  `json:"proto"`
}

type tasksSpec struct {
	Tasks []task `json:"tasks"`
}

func tasks(ctx context.Context, net *Net, rng *rand.Rand, class string, raw json.RawMessage) error {
	spec := tasksSpec{}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	var wait sync.WaitGroup
	for _, one := range spec.Tasks {
		wait.Add(1)
		go func(one task, rng *rand.Rand) {
			defer wait.Done()
			way := net
			if one.Proto != "" {
				way = newNet(one.Proto)
				defer way.close()
			}
			one.run(ctx, way, rng)
		}(one, rand.New(rand.NewSource(rng.Int63())))
	}
	wait.Wait()
	return nil
}

func (t task) run(ctx context.Context, net *Net, rng *rand.Rand) {
	if t.FirstS > 0 && !pause(ctx, t.FirstS) {
		return
	}
	for ctx.Err() == nil {
		switch {
		case t.Kbps > 0:
			url := fmt.Sprintf("https://%s/stream?kbps=%.0f&tick=%.0f&burst=%.0f", t.Host, t.Kbps, t.TickMS, t.BurstKB*1024)
			_, _ = net.fetch(ctx, url, nil, nil)
		case t.WaitS[1] > 0:
			url := fmt.Sprintf("https://%s/poll?s=%.1f&n=%d", t.Host, t.WaitS.pick(rng), int(t.DownKB.pick(rng)*1024))
			_, _ = net.fetch(ctx, url, nil, nil)
		default:
			t.burst(ctx, net, rng)
		}
		if !pause(ctx, t.EveryS.pick(rng)) {
			return
		}
	}
}

func (t task) burst(ctx context.Context, net *Net, rng *rand.Rand) {
	times := int(t.Repeat.pick(rng))
	if times < 1 {
		times = 1
	}
	for i := 0; i < times && ctx.Err() == nil; i++ {
		if i > 0 && !pause(ctx, t.InnerS.pick(rng)) {
			return
		}
		if t.UpKB[1] > 0 {
			_, _ = net.post(ctx, t.Host, int64(t.UpKB.pick(rng)*1024), 0, t.DownKB.pick(rng))
		} else {
			_, _ = net.get(ctx, t.Host, int64(t.DownKB.pick(rng)*1024), "", nil)
		}
	}
}
