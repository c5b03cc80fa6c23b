"""confluent-kafka: the newest librdkafka under Python."""

from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicCollection,
                             TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from common import CODECS, REPLICAS, check, check_brokers, committed, done, eventually, headers, job, key, read, value


def first(job):
    admin = AdminClient({"bootstrap.servers": job.bootstrap})
    wait(admin.create_topics([NewTopic(job.topic, 3, REPLICAS, config={"retention.ms": "3600000"})]))
    done("create-topic")
    for codec in CODECS:
        failures = []
        producer = Producer({"bootstrap.servers": job.bootstrap, "compression.type": codec, "enable.idempotence": True,
                             "linger.ms": 20})
        for i in range(job.count):
            producer.produce(job.topic, key=key(codec, i), value=value(codec, i), headers=headers(codec, i),
                             on_delivery=lambda error, _: error and failures.append(error))
        check(producer.flush(30) == 0 and not failures, f"producing {codec}: {failures}")
        done(f"produce {codec}")
    read_through_group(job, job.count * len(CODECS) // 2)


def read_through_group(job, want):
    consumer = Consumer({"bootstrap.servers": job.bootstrap, "group.id": job.group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest"})
    consumer.subscribe([job.topic])
    following = {}
    for _ in range(want):
        message = consumer.poll(30)
        check(message is not None, "nothing more came in 30 s")
        if message.error():
            raise KafkaException(message.error())
        read(message.partition(), message.offset(), message.key(), message.value(), message.headers())
        following[message.partition()] = message.offset() + 1
    consumer.commit(offsets=[TopicPartition(job.topic, p, o) for p, o in following.items()], asynchronous=False)
    for partition, offset in following.items():
        committed(partition, offset)
    consumer.close()
    done("group")


def wait(futures):
    return {k: f.result(30) for k, f in futures.items()}


def rest(job):
    total = job.count * len(CODECS)
    read_through_group(job, total - total // 2)
    admin = AdminClient({"bootstrap.servers": job.bootstrap})
    cluster = admin.describe_cluster().result(30)
    check_brokers(len(cluster.nodes))
    done("describe-cluster")
    described = wait(admin.describe_topics(TopicCollection([job.topic])))
    check(len(described[job.topic].partitions) == 3, "three partitions")
    done("describe-topic")
    configs(admin, job)
    offsets(admin, job, total)
    groups(admin, job, total)
    wait(admin.create_partitions([NewPartitions(job.topic, 4)]))
    done("create-partitions")
    wait(admin.delete_topics([job.topic]))
    done("delete-topic")


def configs(admin, job):
    def retention():
        resource = ConfigResource(ResourceType.TOPIC, job.topic)
        return wait(admin.describe_configs([resource]))[resource]["retention.ms"].value
    check(retention() == "3600000", "retention.ms as created")
    wait(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, job.topic, incremental_configs=[
        ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)])]))
    eventually(retention, "7200000", "retention.ms as altered")
    done("configs")


def offsets(admin, job, total):
    def at(spec):
        found = wait(admin.list_offsets({TopicPartition(job.topic, p): spec for p in range(3)}))
        return {part.partition: info.offset for part, info in found.items()}
    check(sum(at(OffsetSpec.latest()).values()) == total, "the ends of the partitions")
    check(set(at(OffsetSpec.for_timestamp(1)).values()) == {0}, "offsets after 1970")
    done("list-offsets")
    low = wait(admin.delete_records([TopicPartition(job.topic, 0, 5)]))
    check([r.low_watermark for r in low.values()] == [5], "low watermark after deleting records")
    check(at(OffsetSpec.earliest())[0] == 5, "the start after deleting records")
    done("delete-records")


def groups(admin, job, total):
    held = wait(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(job.group)]))[job.group]
    check(sum(p.offset for p in held.topic_partitions) == total, "everything is committed")
    listed = admin.list_consumer_groups().result(30)
    check(not listed.errors and job.group in {g.group_id for g in listed.valid}, "the group is listed")
    described = wait(admin.describe_consumer_groups([job.group]))[job.group]
    check(described.state.name == "EMPTY", f"the group is {described.state}")
    wait(admin.delete_consumer_groups([job.group]))
    done("groups")


if __name__ == "__main__":
    phase, what = job()
    {"first": first, "rest": rest}[phase](what)
