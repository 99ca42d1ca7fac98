package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"
)

// Plan is what one light client does: activities one after the other, and
// background activities beside them for the whole run.
type Plan struct {
	Seed       int64      `json:"seed"`
	DurationS  float64    `json:"duration_s"`
	Activities []Activity `json:"activities"`
	Background []Activity `json:"background"`
}

// Activity is one engine and its numbers. DurationS 0 means until the engine ends.
type Activity struct {
	Engine    string          `json:"engine"`
	Class     string          `json:"class"`
	DurationS float64         `json:"duration_s"`
	Proto     string          `json:"proto"`
	Spec      json.RawMessage `json:"spec"`
}

type engine func(ctx context.Context, net *Net, rng *rand.Rand, class string, raw json.RawMessage) error

var engines = map[string]engine{
	"idle":     idle,
	"video":    video,
	"feed":     feed,
	"pages":    pages,
	"tasks":    tasks,
	"transfer": transfer,
	"udp":      datagrams,
}

func readPlan(path string) (*Plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	plan := &Plan{}
	if err := json.Unmarshal(text, plan); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, list := range [][]Activity{plan.Activities, plan.Background} {
		for _, activity := range list {
			if engines[activity.Engine] == nil {
				return nil, fmt.Errorf("%s: unknown engine %q", path, activity.Engine)
			}
		}
	}
	return plan, nil
}

func runPlan(plan *Plan, stop <-chan os.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), seconds(plan.DurationS))
	defer cancel()
	go func() {
		<-stop
		cancel()
	}()
	var wait sync.WaitGroup
	for i, activity := range plan.Background {
		wait.Add(1)
		go func(i int, activity Activity) {
			defer wait.Done()
			runActivity(ctx, activity, rand.New(rand.NewSource(plan.Seed+1000+int64(i))), true)
		}(i, activity)
	}
	for i, activity := range plan.Activities {
		if ctx.Err() != nil {
			break
		}
		runActivity(ctx, activity, rand.New(rand.NewSource(plan.Seed+int64(i))), false)
	}
	<-ctx.Done()
	wait.Wait()
	report("end", nil)
}

func runActivity(ctx context.Context, activity Activity, rng *rand.Rand, background bool) {
	if activity.DurationS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, seconds(activity.DurationS))
		defer cancel()
	}
	net := newNet(activity.Proto)
	defer net.close()
	event := "begin"
	if background {
		event = "background"
	}
	report(event, map[string]interface{}{"class": activity.Class, "engine": activity.Engine})
	err := engines[activity.Engine](ctx, net, rng, activity.Class, activity.Spec)
	if err != nil && ctx.Err() == nil {
		report("error", map[string]interface{}{"class": activity.Class, "text": err.Error()})
	}
	if activity.DurationS > 0 && ctx.Err() == nil {
		<-ctx.Done()
	}
	if !background {
		report("finish", map[string]interface{}{"class": activity.Class})
	}
}

func idle(ctx context.Context, _ *Net, _ *rand.Rand, _ string, _ json.RawMessage) error {
	<-ctx.Done()
	return nil
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}

// pause sleeps for s seconds and says whether the activity still runs.
func pause(ctx context.Context, s float64) bool {
	timer := time.NewTimer(seconds(s))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Range is a pair of numbers; pick draws from it.
type Range [2]float64

// pick draws evenly on a log scale, as sizes and waits are in life, when both
// ends are above zero, else evenly.
func (r Range) pick(rng *rand.Rand) float64 {
	if r[1] <= r[0] {
		return r[0]
	}
	if r[0] > 0 {
		return r[0] * pow(r[1]/r[0], rng.Float64())
	}
	return r[0] + rng.Float64()*(r[1]-r[0])
}
