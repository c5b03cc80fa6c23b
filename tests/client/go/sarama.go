package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Return.Errors = true
	return config
}

func saramaFirst(j job) {
	admin, err := sarama.NewClusterAdmin(j.bootstrap, saramaConfig())
	must(err, "connecting")
	hour := "3600000"
	must(admin.CreateTopic(j.topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: int16(replicas()),
		ConfigEntries: map[string]*string{"retention.ms": &hour}}, false), "creating the topic")
	done("create-topic")
	must(admin.Close(), "closing")

	for _, codec := range codecs {
		config := saramaConfig()
		config.Producer.Compression = map[string]sarama.CompressionCodec{
			"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
			"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
		}[codec]
		producer, err := sarama.NewSyncProducer(j.bootstrap, config)
		must(err, "connecting the producer")
		var messages []*sarama.ProducerMessage
		for i := 0; i < j.count; i++ {
			messages = append(messages, &sarama.ProducerMessage{
				Topic: j.topic, Key: sarama.StringEncoder(key(codec, i)), Value: sarama.StringEncoder(value(codec, i)),
				Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec)},
					{Key: []byte("trace"), Value: []byte(key(codec, i))}},
			})
		}
		must(producer.SendMessages(messages), "producing "+codec)
		must(producer.Close(), "closing the producer")
		done("produce " + codec)
	}
	saramaRead(j, j.count*len(codecs)/2)
}

// Takes `want` messages in all, each partition's on a goroutine of sarama's; then ends its session.
type saramaHandler struct {
	tickets chan struct{} // one for each message that may still be taken
	taken   chan *sarama.ConsumerMessage
}

func (saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h saramaHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			select {
			case <-h.tickets:
				session.MarkMessage(message, "")
				h.taken <- message
			default:
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func saramaRead(j job, want int) {
	group, err := sarama.NewConsumerGroup(j.bootstrap, j.group, saramaConfig())
	must(err, "joining the group")
	go func() {
		for problem := range group.Errors() {
			must(problem, "reading")
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	handler := saramaHandler{make(chan struct{}, want), make(chan *sarama.ConsumerMessage)}
	for i := 0; i < want; i++ {
		handler.tickets <- struct{}{}
	}
	ended := make(chan error, 1)
	go func() { ended <- group.Consume(ctx, []string{j.topic}, commitAtEnd{handler}) }()

	next := map[int32]int64{}
	for n := 0; n < want; n++ {
		select {
		case message := <-handler.taken:
			headers := map[string]string{}
			for _, h := range message.Headers {
				headers[string(h.Key)] = string(h.Value)
			}
			read(message.Partition, message.Offset, string(message.Key), string(message.Value), headers)
			next[message.Partition] = message.Offset + 1
		case err := <-ended:
			check(false, "the session ended after %d of %d: %v", n, want, err)
		case <-ctx.Done():
			check(false, "only %d of %d records", n, want)
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		must(err, "consuming")
	}
	for partition, offset := range next {
		committed(partition, offset)
	}
	must(group.Close(), "leaving the group")
	done("group")
}

// Commits what was marked while the session still owns its partitions.
type commitAtEnd struct{ saramaHandler }

func (commitAtEnd) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	return nil
}

func saramaRest(j job) {
	total := j.count * len(codecs)
	saramaRead(j, total-total/2)

	admin, err := sarama.NewClusterAdmin(j.bootstrap, saramaConfig())
	must(err, "connecting")
	brokers, _, err := admin.DescribeCluster()
	must(err, "describing the cluster")
	checkBrokers(len(brokers))
	done("describe-cluster")
	topics, err := admin.DescribeTopics([]string{j.topic})
	must(err, "describing the topic")
	check(len(topics) == 1 && len(topics[0].Partitions) == 3, "topic %v", topics)
	done("describe-topic")

	retention := func() string {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: j.topic,
			ConfigNames: []string{"retention.ms"}})
		must(err, "describing configs")
		check(len(entries) == 1, "%d entries for one name", len(entries))
		return entries[0].Value
	}
	check(retention() == "3600000", "retention.ms was %s", retention())
	must(admin.IncrementalAlterConfig(sarama.TopicResource, j.topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationDelete}}, false), "altering configs")
	eventually(retention, "604800000")
	done("configs")

	offsets, err := admin.ListConsumerGroupOffsets(j.group, map[string][]int32{j.topic: {0, 1, 2}})
	must(err, "listing the group's offsets")
	var sum int64
	for _, block := range offsets.Blocks[j.topic] {
		sum += block.Offset
	}
	check(sum == int64(total), "the group has committed %d of %d", sum, total)
	groups, err := admin.ListConsumerGroups()
	must(err, "listing groups")
	check(groups[j.group] == "consumer", "groups: %v", groups)
	described, err := admin.DescribeConsumerGroups([]string{j.group})
	must(err, "describing the group")
	check(described[0].State == "Empty", "the group is %s", described[0].State)
	must(admin.DeleteConsumerGroup(j.group), "deleting the group")
	done("groups")

	must(admin.DeleteRecords(j.topic, map[int32]int64{0: 5}), "deleting records")
	done("delete-records")
	dirs, err := admin.DescribeLogDirs([]int32{brokers[0].ID()})
	must(err, "describing log directories")
	check(len(dirs) == 1, "log directories: %v", dirs)
	done("log-dirs")
	must(admin.CreatePartitions(j.topic, 4, nil, false), "adding a partition")
	done("create-partitions")
	must(admin.DeleteTopic(j.topic), "deleting the topic")
	done("delete-topic")
	must(admin.Close(), "closing")
}
