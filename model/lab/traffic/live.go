package main

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// liveSegments is how many segments a live playlist shows.
const liveSegments = 6

// slidingWindow cuts the live view at age seconds out of an on-demand playlist.
// It begins one window in, so that a player that comes first finds segments.
func slidingWindow(file string, age float64) (string, error) {
	if path.Clean(file) != file {
		return "", fmt.Errorf("path %q", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var names, lengths []string
	var ends []float64
	total, longest := 0.0, 0.0
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#EXTINF:") {
			length := strings.TrimSuffix(strings.TrimPrefix(line, "#EXTINF:"), ",")
			value, err := strconv.ParseFloat(length, 64)
			if err != nil {
				return "", err
			}
			total += value
			if value > longest {
				longest = value
			}
			ends, lengths = append(ends, total), append(lengths, length)
		} else if line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	last := 0
	for last < len(names) && last < len(ends) && ends[last] <= age+liveSegments*longest {
		last++
	}
	first := last - liveSegments
	if first < 0 {
		first = 0
	}
	out := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", int(longest+.999), first)
	for i := first; i < last; i++ {
		out += "#EXTINF:" + lengths[i] + ",\n" + names[i] + "\n"
	}
	return out, nil
}
