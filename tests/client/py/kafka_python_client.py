"""kafka-python: pure Python, guesses the broker's release from its version table."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.structs import OffsetAndMetadata

from common import CODECS, REPLICAS, check, check_brokers, committed, done, eventually, headers, job, key, read, value


def first(job):
    admin = KafkaAdminClient(bootstrap_servers=job.bootstrap)
    admin.create_topics({job.topic: {"num_partitions": 3, "replication_factor": REPLICAS,
                                     "configs": {"retention.ms": "3600000"}}})
    admin.close()
    done("create-topic")
    for codec in CODECS:
        producer = KafkaProducer(bootstrap_servers=job.bootstrap, compression_type=None if codec == "none" else codec,
                                 linger_ms=20, enable_idempotence=True)
        sent = [producer.send(job.topic, key=key(codec, i).encode(), value=value(codec, i).encode(), headers=headers(codec, i))
                for i in range(job.count)]
        for future in sent:
            future.get(timeout=30)
        producer.close()
        done(f"produce {codec}")
    read_through_group(job, job.count * len(CODECS) // 2)


def read_through_group(job, want):
    consumer = KafkaConsumer(job.topic, bootstrap_servers=job.bootstrap, group_id=job.group, enable_auto_commit=False,
                             auto_offset_reset="earliest", consumer_timeout_ms=30000)
    following = {}
    taken = 0
    for message in consumer:
        read(message.partition, message.offset, message.key, message.value, message.headers)
        following[message.partition] = message.offset + 1
        taken += 1
        if taken == want:
            break
    check(taken == want, f"only {taken} of {want} records came")
    consumer.commit({TopicPartition(job.topic, p): OffsetAndMetadata(o, "", -1) for p, o in following.items()})
    for partition, offset in following.items():
        committed(partition, offset)
    consumer.close()
    done("group")


def rest(job):
    total = job.count * len(CODECS)
    read_through_group(job, total - total // 2)
    admin = KafkaAdminClient(bootstrap_servers=job.bootstrap)
    check_brokers(len(admin.describe_cluster()["brokers"]))
    done("describe-cluster")
    check(job.topic in admin.list_topics(), "the topic is listed")
    check(len(admin.describe_topics([job.topic])[0]["partitions"]) == 3, "three partitions")
    done("describe-topic")
    configs(admin, job)
    offsets(admin, job, total)
    held = admin.list_group_offsets([job.group])[job.group]
    check(sum(o.offset for o in held.values()) == total, "everything is committed")
    check(job.group in {g["group_id"] for g in admin.list_groups()}, "the group is listed")
    state = admin.describe_groups([job.group])[job.group]["group_state"]
    check(state == "Empty", f"the group is {state}")
    admin.delete_groups([job.group])
    check(job.group not in {g["group_id"] for g in admin.list_groups()}, "the group is gone")
    done("groups")
    admin.create_partitions({job.topic: 4})
    done("create-partitions")
    admin.delete_topics([job.topic])
    done("delete-topic")
    admin.close()


def configs(admin, job):
    def retention():
        found = admin.describe_configs([ConfigResource("TOPIC", job.topic)], config_filter="all")
        return list(found.values())[0][job.topic]["retention.ms"]["value"]
    check(retention() == "3600000", f"retention.ms as created: {retention()}")
    admin.alter_configs([ConfigResource("TOPIC", job.topic, configs={"retention.ms": "7200000"})])
    eventually(retention, "7200000", "retention.ms as altered")
    done("configs")


def offsets(admin, job, total):
    def at(spec):
        found = admin.list_partition_offsets({TopicPartition(job.topic, p): spec for p in range(3)})
        return {part.partition: info.offset for part, info in found.items()}
    check(sum(at(OffsetSpec.LATEST).values()) == total, "the ends of the partitions")
    check(set(at(1).values()) == {0}, "offsets after 1970")
    done("list-offsets")
    admin.delete_records({TopicPartition(job.topic, 0): 5})
    check(at(OffsetSpec.EARLIEST)[0] == 5, "the start after deleting records")
    done("delete-records")
    dirs = admin.describe_log_dirs({job.topic: [0, 1, 2]})
    check(job.topic in str(dirs), "the log directory holds the topic")
    done("log-dirs")


if __name__ == "__main__":
    phase, what = job()
    {"first": first, "rest": rest}[phase](what)
