package main

import (
	"context"
	"encoding/json"
	"math/rand"
	"sync"
)

// pagesSpec is a person with a browser: pages with their parts from several
// hosts, time to read, and what pages do by themselves meanwhile.
type pagesSpec struct {
	Hosts   []string `json:"hosts"`
	PageKB  Range    `json:"page_kb"`
	Parts   Range    `json:"parts"`
	PartKB  Range    `json:"part_kb"`
	ThinkS  Range    `json:"think_s"`
	Visits  Range    `json:"visits"`
	ServerS Range    `json:"server_ms"`
	Live    []during `json:"during"`
}

// during happens again and again while a page is open: scrolling, tiles, ads.
type during struct {
	EveryS Range   `json:"every_s"`
	Parts  Range   `json:"parts"`
	PartKB Range   `json:"part_kb"`
	UpKB   Range   `json:"up_kb"`
	Odds   float64 `json:"odds"`
	Host   string  `json:"host"`
}

func pages(ctx context.Context, net *Net, rng *rand.Rand, _ string, raw json.RawMessage) error {
	spec := pagesSpec{}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	for ctx.Err() == nil {
		host := spec.Hosts[0]
		if rng.Float64() < .3 {
			host = spec.Hosts[rng.Intn(len(spec.Hosts))]
		}
		if _, err := net.get(ctx, host, int64(spec.PageKB.pick(rng)*1024), "&think=120", nil); err != nil && !pause(ctx, 2) {
			return nil
		}
		parts(ctx, net, rng, spec.Hosts, spec.Parts, spec.PartKB)
		page, leave := context.WithTimeout(ctx, seconds(spec.ThinkS.pick(rng)))
		for _, live := range spec.Live {
			if live.Odds == 0 || rng.Float64() < live.Odds {
				go repeat(page, net, rand.New(rand.NewSource(rng.Int63())), live, spec.Hosts)
			}
		}
		<-page.Done()
		leave()
	}
	return nil
}

// parts fetches the parts of a page, at most 12 at once.
func parts(ctx context.Context, net *Net, rng *rand.Rand, hosts []string, count, kb Range) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 12)
	for i := int(count.pick(rng)); i > 0 && ctx.Err() == nil; i-- {
		host, size := hosts[skew(rng, len(hosts))], int64(kb.pick(rng)*1024)
		slots <- struct{}{}
		wait.Add(1)
		go func() {
			defer wait.Done()
			_, _ = net.get(ctx, host, size, "", nil)
			<-slots
		}()
	}
	wait.Wait()
}

// skew prefers the first hosts, as the parts of a page do.
func skew(rng *rand.Rand, count int) int {
	x := rng.Float64()
	return int(x * x * float64(count))
}

func repeat(ctx context.Context, net *Net, rng *rand.Rand, live during, hosts []string) {
	if live.Host != "" {
		hosts = []string{live.Host}
	}
	for pause(ctx, live.EveryS.pick(rng)) {
		if live.UpKB[1] > 0 {
			_, _ = net.post(ctx, hosts[0], int64(live.UpKB.pick(rng)*1024), 0, 1)
		}
		parts(ctx, net, rng, hosts, live.Parts, live.PartKB)
	}
}
