// Command traffic makes the lab's traffic: it is the server farm of a run, and
// each light client of it.
//
// A light client does what a player, a browser or an app does on the wire (real
// TCP, TLS, HTTP/1.1, HTTP/2, HTTP/3 and UDP, real congestion control) without
// decoding or drawing anything, so that two cores carry thirty of them. The one
// idea: a plan (JSON, written by families.py) is a list of activities; each
// activity is one engine with its numbers, and all choices of numbers are made
// by the plan's author, so that a run can be described without reading Go.
// It refuses to know labels: it reports states ("playing", "paused"), and
// labels.py decides what they mean.
//
//	traffic server -cert C -key K -root DIR -addr A,B,...
//	traffic client -plan PLAN.json
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: traffic server|client ...")
	}
	switch os.Args[1] {
	case "server":
		flags := flag.NewFlagSet("server", flag.ExitOnError)
		cert := flags.String("cert", "", "certificate")
		key := flags.String("key", "", "private key")
		root := flags.String("root", "", "folder of static files")
		addresses := flags.String("addr", "", "addresses, comma separated")
		h1 := flags.String("h1", "", "host names that speak HTTP/1.1 only")
		_ = flags.Parse(os.Args[2:])
		if err := serve(*cert, *key, *root, strings.Split(*addresses, ","), strings.Split(*h1, ",")); err != nil {
			fail(err.Error())
		}
	case "client":
		flags := flag.NewFlagSet("client", flag.ExitOnError)
		path := flags.String("plan", "", "plan file")
		_ = flags.Parse(os.Args[2:])
		plan, err := readPlan(*path)
		if err != nil {
			fail(err.Error())
		}
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		runPlan(plan, stop)
	default:
		fail("unknown command " + os.Args[1])
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, "traffic:", text)
	os.Exit(2)
}

var outLock sync.Mutex

// report writes one line of truth: time, what happened, and its numbers.
func report(event string, fields map[string]interface{}) {
	if fields == nil {
		fields = map[string]interface{}{}
	}
	fields["t"] = float64(time.Now().UnixMicro()) / 1e6
	fields["event"] = event
	line, err := json.Marshal(fields)
	if err != nil {
		return
	}
	outLock.Lock()
	defer outLock.Unlock()
	os.Stdout.Write(append(line, '\n'))
}
