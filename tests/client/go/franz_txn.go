package main

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

func franzTransaction(ctx context.Context, client *kgo.Client, topic string, commit bool, values ...string) error {
	must(client.BeginTransaction(), "beginning")
	for _, value := range values {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	return client.EndTransaction(ctx, kgo.TransactionEndTry(commit))
}

// What a reader sees from the start, until it has seen `last`.
func franzSeen(ctx context.Context, bootstrap, topic, last string, isolation kgo.IsolationLevel) []string {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(err, "connecting a reader")
	defer client.Close()
	var seen []string
	for !slices.Contains(seen, last) {
		fetches := client.PollFetches(ctx)
		must(fetches.Err(), "reading")
		fetches.EachRecord(func(r *kgo.Record) { seen = append(seen, string(r.Value)) })
	}
	return seen
}

func franzTransactions(bootstrap, prefix string) {
	ctx := franzContext()
	out, in, group := prefix+".out", prefix+".in", prefix+".group"
	producer := func() *kgo.Client {
		client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(prefix+".one"))
		must(err, "connecting")
		return client
	}
	one := producer()
	must(franzTransaction(ctx, one, out, true, "0-0", "0-1"), "committing")
	must(franzTransaction(ctx, one, out, false, "1-0"), "aborting")
	must(franzTransaction(ctx, one, out, true, "2-0"), "committing again")
	done("commit and abort")
	committed := []string{"0-0", "0-1", "2-0"}
	sees := func(want []string) {
		seen := franzSeen(ctx, bootstrap, out, want[len(want)-1], kgo.ReadCommitted())
		check(slices.Equal(seen, want), "read_committed: %v", seen)
	}
	sees(committed)
	seen := franzSeen(ctx, bootstrap, out, "2-0", kgo.ReadUncommitted())
	check(slices.Equal(seen, []string{"0-0", "0-1", "1-0", "2-0"}), "read_uncommitted: %v", seen)
	done("read_committed")

	must(one.BeginTransaction(), "beginning")
	must(one.ProduceSync(ctx, &kgo.Record{Topic: out, Value: []byte("zombie")}).FirstErr(), "producing")
	two := producer()
	must(franzTransaction(ctx, two, out, true, "owner"), "committing as the owner")
	check(one.EndTransaction(ctx, kgo.TryCommit) != nil, "a fenced producer committed")
	one.Close()
	committed = append(committed, "owner")
	sees(committed)
	two.Close()
	done("fence")

	feed, admin := franzClient(job{bootstrap: []string{bootstrap}})
	for _, value := range []string{"a", "b"} {
		must(feed.ProduceSync(ctx, &kgo.Record{Topic: in, Value: []byte(value)}).FirstErr(), "filling the input")
	}
	for _, commit := range []bool{false, true} {
		session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(prefix+".session"),
			kgo.ConsumerGroup(group), kgo.ConsumeTopics(in), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		must(err, "joining")
		for n := 0; n < 2; {
			fetches := session.PollFetches(ctx)
			must(fetches.Err(), "reading the input")
			if fetches.NumRecords() == 0 {
				continue
			}
			n += fetches.NumRecords()
			must(session.Begin(), "beginning")
			fetches.EachRecord(func(r *kgo.Record) {
				must(session.ProduceSync(ctx, &kgo.Record{Topic: out, Value: append([]byte("did-"), r.Value...)}).FirstErr(), "producing")
			})
			ended, err := session.End(ctx, kgo.TransactionEndTry(commit))
			must(err, "ending")
			check(ended == commit, "ended with %v, not %v", ended, commit)
			if !commit {
				break
			}
		}
		session.Close()
	}
	held, err := admin.FetchOffsets(ctx, group)
	must(err, "asking for offsets")
	at, there := held.Lookup(in, 0)
	check(there && at.At == 2, "committed %v", at)
	feed.Close()
	sees(append(committed, "did-a", "did-b"))
	done("offsets")
}
