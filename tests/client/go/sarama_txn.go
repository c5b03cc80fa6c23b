package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

func saramaProducer(bootstrap, id string) sarama.SyncProducer {
	config := saramaConfig()
	config.Producer.Transaction.ID = id
	config.Producer.Transaction.Timeout = time.Minute
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	must(err, "connecting a producer")
	return producer
}

func saramaTransaction(producer sarama.SyncProducer, topic string, commit bool, values ...string) error {
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	for _, value := range values {
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}); err != nil {
			return err
		}
	}
	if commit {
		return producer.CommitTxn()
	}
	return producer.AbortTxn()
}

// What a reader sees from the start, until it has seen `last`.
func saramaSeen(bootstrap, topic, last string, isolation sarama.IsolationLevel) []string {
	config := saramaConfig()
	config.Consumer.IsolationLevel = isolation
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	must(err, "connecting a reader")
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	must(err, "reading")
	defer partition.Close()
	var seen []string
	for !slices.Contains(seen, last) {
		select {
		case message := <-partition.Messages():
			seen = append(seen, string(message.Value))
		case problem := <-partition.Errors():
			must(problem, "reading")
		case <-time.After(20 * time.Second):
			check(false, "nothing to read for 20 s; so far %v", seen)
		}
	}
	return seen
}

func saramaTransactions(bootstrap, prefix string) {
	out, in, group := prefix+".out", prefix+".in", prefix+".group"
	one := saramaProducer(bootstrap, prefix+".one")
	must(saramaTransaction(one, out, true, "0-0", "0-1"), "committing")
	must(saramaTransaction(one, out, false, "1-0"), "aborting")
	must(saramaTransaction(one, out, true, "2-0"), "committing again")
	done("commit and abort")
	committed := []string{"0-0", "0-1", "2-0"}
	sees := func() {
		seen := saramaSeen(bootstrap, out, committed[len(committed)-1], sarama.ReadCommitted)
		check(slices.Equal(seen, committed), "read_committed: %v", seen)
	}
	sees()
	seen := saramaSeen(bootstrap, out, "2-0", sarama.ReadUncommitted)
	check(slices.Equal(seen, []string{"0-0", "0-1", "1-0", "2-0"}), "read_uncommitted: %v", seen)
	done("read_committed")

	must(one.BeginTxn(), "beginning")
	_, _, err := one.SendMessage(&sarama.ProducerMessage{Topic: out, Value: sarama.StringEncoder("zombie")})
	must(err, "producing")
	two := saramaProducer(bootstrap, prefix+".one")
	must(saramaTransaction(two, out, true, "owner"), "committing as the owner")
	check(one.CommitTxn() != nil, "a fenced producer committed")
	_ = one.Close() // it has nothing left that it could end
	committed = append(committed, "owner")
	sees()
	done("fence")

	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, saramaConfig())
	must(err, "connecting")
	for i, commit := range []bool{false, true} {
		must(two.BeginTxn(), "beginning")
		offset := &sarama.PartitionOffsetMetadata{Partition: 0, Offset: int64(i + 1), LeaderEpoch: -1}
		must(two.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{in: {offset}}, group), "adding offsets")
		_, _, err := two.SendMessage(&sarama.ProducerMessage{Topic: out, Value: sarama.StringEncoder("upto")})
		must(err, "producing")
		want := int64(-1)
		if commit {
			must(two.CommitTxn(), "committing")
			want = offset.Offset
		} else {
			must(two.AbortTxn(), "aborting")
		}
		eventually(func() string { // it does not ask for stable offsets: the marker may still be under way
			held, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{in: {0}})
			must(err, "asking for offsets")
			return strconv.FormatInt(held.GetBlock(in, 0).Offset, 10)
		}, strconv.FormatInt(want, 10))
	}
	must(two.Close(), "closing")
	must(admin.Close(), "closing")
	done("offsets")
}
