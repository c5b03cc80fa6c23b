// The Go clients of tests/client: franz-go and sarama behind one program. What a client has to do and to
// print is in tests/client/README.md.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

type job struct {
	bootstrap    []string
	topic, group string
	count        int // records per codec
}

// One record of the suite: everything follows from its codec and number.
func key(codec string, i int) string { return fmt.Sprintf("%s-%d", codec, i) }

func value(codec string, i int) string {
	return key(codec, i) + ":" + strings.Repeat("moldau ", i%40)
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func done(what string) { fmt.Printf("done\t%s\n", what) }

func read(partition int32, offset int64, key, value string, headers map[string]string) {
	pairs := make([]string, 0, len(headers))
	for k, v := range headers {
		pairs = append(pairs, k+"="+v)
	}
	sort.Strings(pairs)
	fmt.Printf("read\t%d\t%d\t%s\t%s\t%s\n", partition, offset, key, value, strings.Join(pairs, ";"))
}

func committed(partition int32, offset int64) { fmt.Printf("committed\t%d\t%d\n", partition, offset) }

// Ends the program: a client test has nothing to go on with after an error.
func must(err error, doing string) {
	if err != nil {
		fmt.Printf("error\t%s: %v\n", doing, err)
		os.Exit(1)
	}
}

func check(ok bool, format string, args ...any) {
	if !ok {
		fmt.Printf("error\t"+format+"\n", args...)
		os.Exit(1)
	}
}

// Of a new topic; there are as many brokers.
func replicas() int {
	n, err := strconv.Atoi(os.Getenv("REPLICAS"))
	if err != nil {
		return 1
	}
	return n
}

// One of several may be starting anew.
func checkBrokers(n int) {
	check(n == replicas() || n > 1 && n == replicas()-1, "%d brokers", n)
}

// Kafka answers before its brokers have applied a change.
func eventually(read func() string, want string) {
	for i := 0; i < 50 && read() != want; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	check(read() == want, "got %s, want %s", read(), want)
}

func main() {
	if len(os.Args) == 5 && os.Args[2] == "transactions" {
		run := map[string]func(bootstrap, prefix string){"franz": franzTransactions, "sarama": saramaTransactions}[os.Args[1]]
		check(run != nil, "no such program")
		run(os.Args[3], os.Args[4])
		return
	}
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: client franz|sarama first|rest BOOTSTRAP TOPIC GROUP COUNT\n"+
			"       client franz|sarama transactions BOOTSTRAP PREFIX")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[6])
	must(err, "COUNT")
	j := job{strings.Split(os.Args[3], ","), os.Args[4], os.Args[5], count}
	run := map[string]func(job){
		"franz first": franzFirst, "franz rest": franzRest,
		"sarama first": saramaFirst, "sarama rest": saramaRest,
	}[os.Args[1]+" "+os.Args[2]]
	check(run != nil, "no such program")
	run(j)
}
