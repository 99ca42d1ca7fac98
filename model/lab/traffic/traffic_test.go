package main

import (
	"encoding/json"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLiveWindowSlidesWithAge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.m3u8")
	text := "#EXTM3U\n"
	for i := 0; i < 20; i++ {
		text += "#EXTINF:4.0,\ns" + string(rune('a'+i)) + ".ts\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	early, err := slidingWindow(file, 0)
	if err != nil || !strings.Contains(early, "MEDIA-SEQUENCE:0\n") || !strings.Contains(early, "sa.ts") {
		t.Fatalf("early window: %v\n%s", err, early)
	}
	late, _ := slidingWindow(file, 9)
	if !strings.Contains(late, "MEDIA-SEQUENCE:2\n") || strings.Contains(late, "sb.ts") || !strings.Contains(late, "sh.ts") {
		t.Fatalf("late window:\n%s", late)
	}
}

func TestLiveWindowRefusesPathsThatClimb(t *testing.T) {
	if _, err := slidingWindow("/tmp/../etc/passwd", 0); err == nil {
		t.Fatal("a path with .. was read")
	}
}

func TestRangeStaysInside(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for i := 0; i < 1000; i++ {
		if x := (Range{3, 90}).pick(rng); x < 3 || x > 90.0001 {
			t.Fatal(x)
		}
		if x := (Range{0, 5}).pick(rng); x < 0 || x > 5 {
			t.Fatal(x)
		}
	}
}

func TestTitleWeightAveragesNearOne(t *testing.T) {
	s := &script{length: 4000, rng: rand.New(rand.NewSource(5)), sigma: .5}
	if mean := s.weight(0, 4000); mean < .7 || mean > 1.5 {
		t.Fatalf("mean weight %.2f", mean)
	}
	if s.weight(10, 14) == s.weight(200, 204) {
		t.Fatal("the bit rate does not move")
	}
}

func TestSteadyPlayerFetchesUntilFull(t *testing.T) {
	p := &player{spec: videoSpec{MaxBufferS: 30, LowBufferS: 10}, length: 100}
	p.end = 20
	if !p.wants("seg", false) || p.wants("batch", false) || !p.wants("batch", true) {
		t.Fatal("between low and full: steady fetches, batch only while it fills")
	}
	p.end = 35
	if p.wants("seg", true) || p.wants("batch", true) {
		t.Fatal("a full buffer fetches nothing")
	}
	p.end = 100
	p.pos = 95
	if p.wants("seg", true) {
		t.Fatal("nothing is left to fetch")
	}
}

func TestPlanWithUnknownEngineIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan")
	text, _ := json.Marshal(Plan{Activities: []Activity{{Engine: "teleport"}}})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readPlan(file); err == nil || !strings.Contains(err.Error(), "teleport") {
		t.Fatal(err)
	}
}
