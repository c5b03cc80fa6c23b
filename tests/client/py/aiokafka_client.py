"""aiokafka: asyncio, middle-aged versions of the protocol, and the old AlterConfigs."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from common import CODECS, REPLICAS, check, check_brokers, committed, done, headers, job, key, read, value


async def first(job):
    admin = AIOKafkaAdminClient(bootstrap_servers=job.bootstrap)
    await admin.start()
    answer = await admin.create_topics([NewTopic(job.topic, 3, REPLICAS, topic_configs={"retention.ms": "3600000"})])
    check(answer.topic_errors[0][1] == 0, f"creating the topic: {answer}")
    await admin.close()
    done("create-topic")
    for codec in CODECS:
        producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, compression_type=None if codec == "none" else codec,
                                    linger_ms=20, enable_idempotence=True)
        await producer.start()
        sent = [await producer.send(job.topic, key=key(codec, i).encode(), value=value(codec, i).encode(),
                                    headers=headers(codec, i)) for i in range(job.count)]
        await asyncio.wait_for(asyncio.gather(*sent), 30)
        await producer.stop()
        done(f"produce {codec}")
    await read_through_group(job, job.count * len(CODECS) // 2)


async def read_through_group(job, want):
    consumer = AIOKafkaConsumer(job.topic, bootstrap_servers=job.bootstrap, group_id=job.group, enable_auto_commit=False,
                                auto_offset_reset="earliest")
    await consumer.start()
    following = {}
    for _ in range(want):
        message = await asyncio.wait_for(consumer.getone(), 30)
        read(message.partition, message.offset, message.key, message.value, message.headers)
        following[TopicPartition(job.topic, message.partition)] = message.offset + 1
    await consumer.commit(following)
    for part, offset in following.items():
        committed(part.partition, offset)
    await consumer.stop()
    done("group")


async def rest(job):
    total = job.count * len(CODECS)
    await read_through_group(job, total - total // 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=job.bootstrap)
    await admin.start()
    check_brokers(len((await admin.describe_cluster())["brokers"]))
    done("describe-cluster")
    check(job.topic in await admin.list_topics(), "the topic is listed")
    described = await admin.describe_topics([job.topic])
    check(len(described[0]["partitions"]) == 3, "three partitions")
    done("describe-topic")
    await configs(admin, job)
    held = await admin.list_consumer_group_offsets(job.group)
    check(sum(o.offset for o in held.values()) == total, "everything is committed")
    check((job.group, "consumer") in [g[:2] for g in await admin.list_consumer_groups()], "the group is listed")
    groups = await admin.describe_consumer_groups([job.group])
    check(groups[0].groups[0][2] == "Empty", f"the group is {groups[0].groups[0]}")
    done("groups")
    await offsets(job, total)
    low = await admin.delete_records({TopicPartition(job.topic, 0): RecordsToDelete(5)})
    check(list(low.values()) == [5], f"low watermark after deleting records: {low}")
    done("delete-records")
    await admin.create_partitions({job.topic: NewPartitions(4)})
    done("create-partitions")
    await admin.delete_topics([job.topic])
    done("delete-topic")
    await admin.close()


async def configs(admin, job):
    async def retention():
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, job.topic)])
        return {entry[0]: entry[1] for entry in answers[0].resources[0][4]}["retention.ms"]
    check(await retention() == "3600000", "retention.ms as created")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, job.topic, configs={"retention.ms": "7200000"})])
    for _ in range(50):  # Kafka answers before its brokers have applied a change
        if await retention() == "7200000":
            break
        await asyncio.sleep(0.1)
    check(await retention() == "7200000", "retention.ms as altered")
    done("configs")


async def offsets(job, total):
    consumer = AIOKafkaConsumer(bootstrap_servers=job.bootstrap)
    await consumer.start()
    parts = [TopicPartition(job.topic, p) for p in range(3)]
    check(sum((await consumer.end_offsets(parts)).values()) == total, "the ends of the partitions")
    check(set((await consumer.beginning_offsets(parts)).values()) == {0}, "the starts of the partitions")
    by_time = await consumer.offsets_for_times({part: 1 for part in parts})
    check({o.offset for o in by_time.values()} == {0}, "offsets after 1970")
    await consumer.stop()
    done("list-offsets")


if __name__ == "__main__":
    phase, what = job()
    asyncio.run({"first": first, "rest": rest}[phase](what))
