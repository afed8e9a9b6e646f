// SPDX-License-Identifier: BSL-1.0

// Go beside us: the same work with goroutines. Called as the other bench programs, `peer BENCH CASE`.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func median(times []time.Duration) time.Duration {
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	return times[len(times)/2]
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func switches(fibers int) {
	laps := 200000 / fibers
	var started, ended int
	var times []time.Duration
	var all sync.WaitGroup
	body := func() {
		defer all.Done()
		leads := started == 0
		for started++; started < fibers; {
			runtime.Gosched()
		}
		for part := -1; part < 7; part++ {
			begin := cpu()
			for i := 0; i < laps; i++ {
				runtime.Gosched()
			}
			if leads && part >= 0 {
				times = append(times, cpu()-begin)
			}
		}
		for ended++; ended < fibers; {
			runtime.Gosched()
		}
	}
	all.Add(fibers)
	for i := 0; i < fibers; i++ {
		go body()
	}
	all.Wait()
	fmt.Printf("time %.6g ns\n", float64(median(times).Nanoseconds())/float64(laps*fibers))
}

func spawns(fibers, rounds int) {
	var times []time.Duration
	done := 0
	for part := -1; part < 7; part++ {
		begin := cpu()
		for i := 0; i < rounds; i++ {
			var all sync.WaitGroup
			all.Add(fibers)
			for j := 0; j < fibers; j++ {
				go func() {
					done++
					all.Done()
				}()
			}
			all.Wait()
		}
		if part >= 0 {
			times = append(times, cpu()-begin)
		}
	}
	fmt.Printf("time %.6g ns\n", float64(median(times).Nanoseconds())/float64(fibers*rounds))
}

func channel(capacity int) {
	const count = 400000
	values := make(chan int, capacity)
	done := make(chan int)
	go func() {
		sum := 0
		for value := range values {
			sum += value
		}
		done <- sum
	}()
	var times []time.Duration
	for part := -1; part < 7; part++ {
		begin := cpu()
		for i := 0; i < count; i++ {
			values <- i
		}
		if part >= 0 {
			times = append(times, cpu()-begin)
		}
	}
	close(values)
	<-done
	fmt.Printf("time %.6g ns\n", float64(median(times).Nanoseconds())/count)
}

func memory(key string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	fail(err)
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key+":") {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib * 1024
		}
	}
	return 0
}

func cpu() time.Duration {
	var usage syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func sleepers(path string) {
	data, err := os.ReadFile(path)
	fail(err)
	sleeps := make([]time.Duration, len(data)/8)
	for i := range sleeps {
		sleeps[i] = time.Duration(binary.LittleEndian.Uint64(data[8*i:]))
	}
	fail(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	before, cpuBefore, begin := memory("VmRSS"), cpu(), time.Now()
	var all sync.WaitGroup
	all.Add(len(sleeps))
	for _, sleep := range sleeps {
		sleep := sleep
		go func() {
			time.Sleep(sleep)
			all.Done()
		}()
	}
	all.Wait()
	wall, used := time.Since(begin), cpu()-cpuBefore
	fmt.Printf("wall %.6g ms\n", wall.Seconds()*1e3)
	fmt.Printf("cpu %.6g ms\n", used.Seconds()*1e3)
	fmt.Printf("rss %.6g MB\n", (memory("VmHWM")-before)/1e6)
}

func echo() {
	var limit syscall.Rlimit
	fail(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	fail(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Printf("port %d -\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		fail(err)
		go func() {
			defer connection.Close()
			buffer := make([]byte, 1024)
			for {
				n, err := connection.Read(buffer)
				if err != nil {
					return
				}
				if _, err = connection.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peer switch|spawn|sleepers|echo|sync CASE")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "switch":
		fibers, err := strconv.Atoi(os.Args[2])
		fail(err)
		switches(fibers)
	case "spawn":
		if os.Args[2] == "one" {
			spawns(1, 20000)
		} else {
			spawns(10000, 3)
		}
	case "sleepers":
		sleepers(os.Args[2])
	case "echo":
		echo()
	case "sync":
		if os.Args[2] == "rendezvous" {
			channel(0)
		} else {
			channel(128)
		}
	}
}
