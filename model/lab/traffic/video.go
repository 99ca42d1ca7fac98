package main

import (
	"context"
	"encoding/json"
	"math"
	"math/rand"
	"sync"
	"time"
)

// videoSpec describes a player and what its user does with it.
//
// Modes: "seg" fetches segments one by one up to max_buffer_s (hls.js, mpv);
// "batch" lets the buffer fall to low_buffer_s, then fills it again (large
// on-demand services); "range" does so in byte ranges of chunk_kb; "prog" reads
// one long answer and stops reading when the buffer is full; "paced" is one
// long answer that the server paces; "live" follows the live edge.
type videoSpec struct {
	Mode       string          `json:"mode"`
	Hosts      []string        `json:"hosts"`
	API        string          `json:"api"`
	SegmentS   float64         `json:"segment_s"`
	LadderKbps []float64       `json:"ladder_kbps"`
	AudioKbps  float64         `json:"audio_kbps"`
	StartS     float64         `json:"start_s"`
	MaxBufferS float64         `json:"max_buffer_s"`
	LowBufferS float64         `json:"low_buffer_s"`
	ChunkKB    float64         `json:"chunk_kb"`
	Policy     string          `json:"policy"`
	Sigma      float64         `json:"sigma"`
	TitlesS    []float64       `json:"titles_s"`
	Titles     int64           `json:"titles_seed"`
	GapS       Range           `json:"gap_s"`
	BeaconS    float64         `json:"beacon_s"`
	Thumbs     int             `json:"thumbs"`
	AdS        float64         `json:"ad_s"`
	PaceFactor float64         `json:"pace_factor"`
	Script     [][]interface{} `json:"script"`
}

type player struct {
	spec    videoSpec
	net     *Net
	rng     *rand.Rand
	class   string
	mutex   sync.Mutex
	pos     float64
	end     float64
	length  float64
	paused  bool
	stalled bool
	epoch   int
	level   int
	rate    float64
	cut     context.CancelFunc
}

func video(ctx context.Context, net *Net, rng *rand.Rand, class string, raw json.RawMessage) error {
	p := &player{net: net, rng: rng, class: class}
	if err := json.Unmarshal(raw, &p.spec); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go p.obey(ctx, stop)
	p.browse(ctx)
	go p.beacons(ctx)
	for index, length := range p.spec.TitlesS {
		if index > 0 && !pause(ctx, p.spec.GapS.pick(rng)) {
			break
		}
		if p.spec.AdS > 0 && index%2 == 0 {
			p.title(ctx, p.spec.AdS, int64(9000+index), "seg")
		}
		p.title(ctx, length, p.spec.Titles+int64(index), p.spec.Mode)
		if ctx.Err() != nil {
			break
		}
	}
	report("state", map[string]interface{}{"class": class, "state": "stopped"})
	net.close()
	return nil
}

// browse fetches what a video page needs before the first frame.
func (p *player) browse(ctx context.Context) {
	if p.spec.API == "" {
		return
	}
	_, _ = p.net.get(ctx, p.spec.API, int64(Range{20, 300}.pick(p.rng)*1024), "", nil)
	var wait sync.WaitGroup
	for i := 0; i < p.spec.Thumbs; i++ {
		wait.Add(1)
		size := int64(Range{4, 60}.pick(p.rng) * 1024)
		go func() {
			defer wait.Done()
			_, _ = p.net.get(ctx, p.spec.API, size, "", nil)
		}()
	}
	wait.Wait()
	_, _ = p.net.get(ctx, p.spec.API, int64(Range{1, 40}.pick(p.rng)*1024), "", nil)
}

func (p *player) beacons(ctx context.Context) {
	for p.spec.BeaconS > 0 && pause(ctx, p.spec.BeaconS) {
		_, _ = p.net.post(ctx, p.spec.API, 600+rand.Int63n(1500), 0, .2)
	}
}

// obey carries out the user's script: [seconds, action, argument].
func (p *player) obey(ctx context.Context, stop context.CancelFunc) {
	start := time.Now()
	for _, step := range p.spec.Script {
		at, _ := step[0].(float64)
		action, _ := step[1].(string)
		argument := 0.0
		if len(step) > 2 {
			argument, _ = step[2].(float64)
		}
		if !pause(ctx, math.Max(0, at-time.Since(start).Seconds())) {
			return
		}
		report("action", map[string]interface{}{"class": p.class, "action": action, "argument": argument})
		p.mutex.Lock()
		switch action {
		case "pause":
			p.paused = true
		case "resume":
			p.paused = false
		case "seek":
			p.pos = math.Max(0, math.Min(p.length-1, p.pos+argument))
			p.flush()
		case "level":
			p.level = int(argument)
			p.spec.Policy = "fixed"
			p.flush()
		case "stop":
			stop()
		}
		p.mutex.Unlock()
	}
}

// flush drops what is buffered and ends the transfer under way.
func (p *player) flush() {
	p.epoch++
	p.end, p.stalled = p.pos, true
	if p.cut != nil {
		p.cut()
	}
}

func (p *player) title(ctx context.Context, length float64, seed int64, mode string) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	p.mutex.Lock()
	p.pos, p.end, p.length, p.stalled = 0, 0, length, true
	p.epoch++
	p.mutex.Unlock()
	script := &script{length: length, rng: rand.New(rand.NewSource(seed)), sigma: p.spec.Sigma}
	if mode == "prog" || mode == "paced" {
		go p.readThrough(ctx, script, mode)
	} else {
		go p.fetchPieces(ctx, script, mode)
	}
	p.play(ctx)
}

// play is the picture: it eats the buffer in real time and reports each second.
func (p *player) play(ctx context.Context) {
	const step = .1
	ticker := time.NewTicker(seconds(step))
	defer ticker.Stop()
	last, ticks := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.mutex.Lock()
		now := time.Now()
		passed := now.Sub(last).Seconds()
		last = now
		ahead := p.end - p.pos
		full := p.end >= p.length-.05
		if p.stalled && (ahead >= p.spec.StartS || full) {
			p.stalled, ticks = false, 0
		} else if !p.stalled && ahead <= .05 && !full {
			p.stalled, ticks = true, 0
		}
		if !p.paused && !p.stalled {
			p.pos = math.Min(p.end, p.pos+passed)
		}
		over := p.pos >= p.length-.05
		if ticks%10 == 0 || over {
			p.report()
		}
		ticks++
		p.mutex.Unlock()
		if over {
			return
		}
	}
}

func (p *player) report() {
	state := "playing"
	if p.paused {
		state = "paused"
	} else if p.stalled {
		state = "buffering"
	}
	report("state", map[string]interface{}{"class": p.class, "state": state,
		"position_s": math.Round(p.pos*100) / 100, "buffer_s": math.Round((p.end-p.pos)*10) / 10,
		"kbps": p.spec.LadderKbps[p.level]})
}

// script gives a title's bit rate over its length: scenes of changing weight.
type script struct {
	length float64
	rng    *rand.Rand
	sigma  float64
	scenes []float64
}

// sceneS is how long a scene of a generated title lasts.
const sceneS = 4.0

// weight is the mean bit-rate factor between two positions, about 1 over a title.
func (s *script) weight(from, to float64) float64 {
	for float64(len(s.scenes))*sceneS < to+sceneS {
		x := 0.0
		if n := len(s.scenes); n > 0 && s.rng.Float64() > .15 {
			x = .85 * math.Log(s.scenes[n-1]+1e-9)
		}
		x += s.sigma * .55 * s.rng.NormFloat64()
		s.scenes = append(s.scenes, math.Exp(math.Max(-1.6, math.Min(.9, x))))
	}
	sum, count := 0.0, 0.0
	for at := from; at < to; at += .5 {
		sum += s.scenes[int(at/sceneS)]
		count++
	}
	if count == 0 {
		return 1
	}
	return sum / count
}

// wants says whether the player should fetch now.
func (p *player) wants(mode string, filling bool) bool {
	ahead := p.end - p.pos
	if p.end >= p.length {
		return false
	}
	if mode == "seg" || filling {
		return ahead < p.spec.MaxBufferS
	}
	return ahead < p.spec.LowBufferS
}

func (p *player) fetchPieces(ctx context.Context, script *script, mode string) {
	began := time.Now()
	filling := true
	if mode == "live" {
		p.manifest(ctx)
	} else if p.spec.API != "" {
		_, _ = p.net.get(ctx, p.host(0), int64(script.length/p.spec.SegmentS*40)+900, "", nil)
	}
	var audio sync.WaitGroup
	for index := 0; ctx.Err() == nil; index++ {
		p.mutex.Lock()
		filling = p.wants(mode, filling)
		from, epoch, level := p.end, p.epoch, p.level
		p.mutex.Unlock()
		if mode == "live" {
			edge := time.Since(began).Seconds() + 3*p.spec.SegmentS
			if from+p.spec.SegmentS > edge {
				if !pause(ctx, math.Max(.3, p.spec.SegmentS/2)) {
					return
				}
				p.manifest(ctx)
				continue
			}
		} else if !filling {
			if !pause(ctx, .15) {
				return
			}
			continue
		}
		level = p.choose(level)
		length := p.pieceLength(mode, level)
		length = math.Min(length, script.length-from)
		if p.spec.AudioKbps > 0 {
			audio.Add(1)
			go func() {
				defer audio.Done()
				_, _ = p.net.get(ctx, p.host(1), int64(p.spec.AudioKbps*125*length), "", nil)
			}()
		}
		p.piece(ctx, script, level, from, length, epoch)
		audio.Wait()
	}
}

func (p *player) pieceLength(mode string, level int) float64 {
	if mode == "range" && p.spec.ChunkKB > 0 {
		return math.Max(1, p.spec.ChunkKB*8.192/p.spec.LadderKbps[level])
	}
	return p.spec.SegmentS
}

func (p *player) manifest(ctx context.Context) {
	_, _ = p.net.get(ctx, p.host(0), int64(Range{600, 3000}.pick(rand.New(rand.NewSource(time.Now().UnixNano())))), "", nil)
}

// piece fetches one segment and adds it to the buffer unless a seek came between.
func (p *player) piece(ctx context.Context, script *script, level int, from, length float64, epoch int) {
	size := int64(p.spec.LadderKbps[level] * 125 * length * script.weight(from, from+length))
	own, cut := context.WithCancel(ctx)
	defer cut()
	p.mutex.Lock()
	p.cut = cut
	p.mutex.Unlock()
	took, err := p.net.get(own, p.host(0), size, "", nil)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if epoch != p.epoch {
		return
	}
	if err != nil {
		p.mutex.Unlock()
		pause(ctx, 1)
		p.mutex.Lock()
		return
	}
	if size > 8000 {
		sample := float64(size) * 8 / 1000 / math.Max(.005, took)
		if p.rate == 0 {
			p.rate = sample
		}
		p.rate = .6*p.rate + .4*sample
	}
	p.end += length
}

// choose is the adaptation rule: by throughput, by buffer, or not at all.
func (p *player) choose(level int) int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	top := len(p.spec.LadderKbps) - 1
	switch p.spec.Policy {
	case "rate":
		level = 0
		for level < top && p.spec.LadderKbps[level+1] < .75*p.rate {
			level++
		}
	case "buffer":
		share := (p.end - p.pos) / math.Max(1, p.spec.MaxBufferS)
		level = int(share * float64(top+1))
	}
	if level > top {
		level = top
	}
	p.level = level
	return level
}

func (p *player) host(which int) string {
	return p.spec.Hosts[which%len(p.spec.Hosts)]
}

// readThrough plays one long answer (progressive download).
func (p *player) readThrough(ctx context.Context, script *script, mode string) {
	for ctx.Err() == nil {
		p.mutex.Lock()
		from, epoch, level := p.end, p.epoch, p.level
		own, cut := context.WithCancel(ctx)
		p.cut = cut
		p.mutex.Unlock()
		if from >= script.length {
			cut()
			return
		}
		kbps := p.spec.LadderKbps[level]
		extra := ""
		if mode == "paced" {
			extra = pacing(kbps*p.spec.PaceFactor, kbps*125*p.spec.StartS*3)
		}
		size := int64(kbps * 125 * (script.length - from))
		holding := false
		_, err := p.net.get(own, p.host(0), size, extra, func(total int64) bool {
			for own.Err() == nil {
				p.mutex.Lock()
				if epoch != p.epoch {
					p.mutex.Unlock()
					return false
				}
				p.end = math.Min(script.length, from+float64(total)*8/1000/kbps)
				ahead := p.end - p.pos
				p.mutex.Unlock()
				if ahead >= p.spec.MaxBufferS {
					holding = true
				} else if !holding || ahead < p.spec.LowBufferS {
					holding = false
					return true
				}
				pause(own, .1)
			}
			return false
		})
		cut()
		if err != nil && own.Err() == nil {
			pause(ctx, 1)
		}
	}
}
