package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func franzClient(j job, options ...kgo.Opt) (*kgo.Client, *kadm.Client) {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(j.bootstrap...))...)
	must(err, "connecting")
	return client, kadm.NewClient(client)
}

func franzContext() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func franzFirst(j job) {
	ctx := franzContext()
	client, admin := franzClient(j)
	_, err := admin.CreateTopic(ctx, 3, int16(replicas()), map[string]*string{"retention.ms": kadm.StringPtr("3600000")}, j.topic)
	must(err, "creating the topic")
	done("create-topic")
	client.Close()

	for _, codec := range codecs {
		compression := map[string]kgo.CompressionCodec{
			"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
			"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		}[codec]
		producer, _ := franzClient(j, kgo.ProducerBatchCompression(compression), kgo.ProducerLinger(20*time.Millisecond))
		var records []*kgo.Record
		for i := 0; i < j.count; i++ {
			records = append(records, &kgo.Record{
				Topic: j.topic, Key: []byte(key(codec, i)), Value: []byte(value(codec, i)),
				Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(codec)}, {Key: "trace", Value: []byte(key(codec, i))}},
			})
		}
		must(producer.ProduceSync(ctx, records...).FirstErr(), "producing "+codec)
		producer.Close()
		done("produce " + codec)
	}
	franzRead(j, j.count*len(codecs)/2)
}

// Reads `want` records through the group and commits behind the last one.
func franzRead(j job, want int) {
	ctx := franzContext()
	client, _ := franzClient(j, kgo.ConsumerGroup(j.group), kgo.ConsumeTopics(j.topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	last := map[int32]*kgo.Record{}
	for n := 0; n < want; {
		fetches := client.PollRecords(ctx, want-n)
		for _, problem := range fetches.Errors() {
			must(problem.Err, "reading")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			read(r.Partition, r.Offset, string(r.Key), string(r.Value), headers)
			last[r.Partition] = r
			n++
		})
	}
	for partition, record := range last {
		must(client.CommitRecords(ctx, record), "committing")
		committed(partition, record.Offset+1)
	}
	done("group")
	must(client.LeaveGroupContext(ctx), "leaving the group")
	client.Close()
}

func franzRest(j job) {
	ctx := franzContext()
	total := j.count * len(codecs)
	franzRead(j, total-total/2)

	client, admin := franzClient(j)
	defer client.Close()

	versions, err := admin.ApiVersions(ctx)
	must(err, "asking for versions")
	versions.Each(func(v kadm.BrokerApiVersions) { check(v.Err == nil, "versions: %v", v.Err) })
	done("api-versions")

	metadata, err := admin.BrokerMetadata(ctx)
	must(err, "describing the cluster")
	checkBrokers(len(metadata.Brokers))
	done("describe-cluster")

	topics, err := admin.ListTopics(ctx, j.topic)
	must(err, "listing topics")
	check(len(topics[j.topic].Partitions) == 3, "%d partitions", len(topics[j.topic].Partitions))
	done("describe-topic")

	franzConfigs(ctx, admin, j)
	franzOffsets(ctx, admin, j, int64(total))
	franzGroups(ctx, admin, j)

	_, err = admin.CreatePartitions(ctx, 1, j.topic)
	must(err, "adding a partition")
	done("create-partitions")
	deleted, err := admin.DeleteTopics(ctx, j.topic)
	must(err, "deleting the topic")
	must(deleted.Error(), "deleting the topic")
	done("delete-topic")
}

func franzConfigs(ctx context.Context, admin *kadm.Client, j job) {
	value := func() string {
		configs, err := admin.DescribeTopicConfigs(ctx, j.topic)
		must(err, "describing configs")
		config, err := configs.On(j.topic, nil)
		must(err, "describing configs")
		for _, entry := range config.Configs {
			if entry.Key == "retention.ms" {
				return entry.MaybeValue()
			}
		}
		return "none"
	}
	check(value() == "3600000", "retention.ms was %s", value())
	responses, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms",
		Value: kadm.StringPtr("7200000")}}, j.topic)
	must(err, "altering configs")
	_, err = responses.On(j.topic, nil)
	must(err, "altering configs")
	eventually(value, "7200000")
	done("configs")
}

func franzOffsets(ctx context.Context, admin *kadm.Client, j job, total int64) {
	ends, err := admin.ListEndOffsets(ctx, j.topic)
	must(err, "listing offsets")
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	check(sum == total, "the partitions end at %d, not %d", sum, total)
	after, err := admin.ListOffsetsAfterMilli(ctx, 1, j.topic)
	must(err, "listing offsets by time")
	after.Each(func(o kadm.ListedOffset) { check(o.Offset == 0, "first offset after 1970 is %d", o.Offset) })
	maximum, err := admin.ListMaxTimestampOffsets(ctx, j.topic)
	must(err, "listing the latest timestamps")
	maximum.Each(func(o kadm.ListedOffset) { check(o.Err == nil && o.Timestamp > 0, "latest timestamp %v", o) })
	done("list-offsets")

	_, err = admin.DeleteRecords(ctx, kadm.Offsets{j.topic: {0: {Topic: j.topic, Partition: 0, At: 5, LeaderEpoch: -1}}})
	must(err, "deleting records")
	starts, err := admin.ListStartOffsets(ctx, j.topic)
	must(err, "listing starts")
	start, _ := starts.Lookup(j.topic, 0)
	check(start.Offset == 5, "the log starts at %d after deleting up to 5", start.Offset)
	done("delete-records")

	logs, err := admin.DescribeAllLogDirs(ctx, nil)
	must(err, "describing log directories")
	found := false
	logs.Each(func(dir kadm.DescribedLogDir) {
		must(dir.Err, "describing "+dir.Dir)
		dir.Topics.Each(func(p kadm.DescribedLogDirPartition) { found = found || p.Topic == j.topic && p.Size > 0 })
	})
	check(found, "no log directory holds the topic")
	done("log-dirs")
}

func franzGroups(ctx context.Context, admin *kadm.Client, j job) {
	groups, err := admin.ListGroups(ctx)
	must(err, "listing groups")
	_, there := groups[j.group]
	check(there, "the group is not listed")
	described, err := admin.DescribeGroups(ctx, j.group)
	must(err, "describing the group")
	check(described[j.group].State == "Empty", "the group is %s", described[j.group].State)
	lags, err := admin.Lag(ctx, j.group)
	must(err, "asking for the lag")
	lag := lags[j.group].Lag.Total()
	check(lag == 0, "the lag is %d", lag)
	_, err = admin.DeleteGroups(ctx, j.group)
	must(err, "deleting the group")
	done("groups")
}
