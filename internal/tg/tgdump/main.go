// Command tgdump prints random objects of package tg as clients of the given
// layers would receive them, one to a line: layer, name, bytes in hex.
// Independent decoders are fed with it.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"parley/internal/tg"
	"parley/internal/tg/tgtest"
	"parley/internal/tl"
)

func main() {
	seed := flag.Uint64("seed", 1, "of the random objects")
	count := flag.Int("n", 3, "objects of each constructor and layer")
	methods := flag.Bool("methods", false, "print requests instead of what the server sends")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: tgdump [flags] LAYER...")
		flag.PrintDefaults()
	}
	flag.Parse()
	w := bufio.NewWriter(os.Stdout)
	for _, arg := range flag.Args() {
		layer, err := strconv.Atoi(arg)
		if err == nil {
			random := tgtest.New(rand.New(rand.NewPCG(*seed, uint64(layer))))
			err = dump(w, random, layer, *count, *methods)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// dump prints n objects of each constructor that the layer has.
func dump(w io.Writer, random *tgtest.Generator, layer, n int, methods bool) error {
	for _, name := range tg.Names(methods) {
		for range n {
			b, err := tg.Encode(random.Object(name), layer)
			if errors.Is(err, tl.ErrAbsent) {
				break
			}
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%d %s %x\n", layer, name, b); err != nil {
				return fmt.Errorf("print %s: %w", name, err)
			}
		}
	}
	return nil
}
