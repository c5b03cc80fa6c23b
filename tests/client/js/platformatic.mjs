// @platformatic/kafka: pure JavaScript, speaks the newest versions of the protocol.
import {
  Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, ListOffsetTimestamps, MessagesStreamFallbackModes,
  MessagesStreamModes, Producer, stringDeserializers, stringSerializers
} from '@platformatic/kafka'
import { check, checkBrokers, codecs, committed, done, eventually, key, main, read, replicas, value } from './common.mjs'

const options = job => ({ clientId: 'platformatic', bootstrapBrokers: job.bootstrap, retries: 3 })

async function readThroughGroup (job, want) {
  const consumer = new Consumer({ ...options(job), groupId: job.group, autocommit: false, maxWaitTime: 500, deserializers: stringDeserializers })
  const stream = await consumer.consume({
    topics: [job.topic], autocommit: false, mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.EARLIEST
  })
  const next = new Map()
  let taken = 0
  for await (const message of stream) {
    read(message.partition, message.offset, message.key, message.value, Object.fromEntries(message.headers))
    next.set(message.partition, message.offset + 1n)
    if (++taken === want) break
  }
  await consumer.commit({ offsets: [...next].map(([partition, offset]) => ({ topic: job.topic, partition, offset, leaderEpoch: -1 })) })
  for (const [partition, offset] of next) committed(partition, offset)
  await consumer.close(true)
  done('group')
}

async function first (job) {
  const admin = new Admin(options(job))
  await admin.createTopics({
    topics: [{ topic: job.topic, partitions: 3, replicas }], configs: [{ name: 'retention.ms', value: '3600000' }]
  })
  done('create-topic')
  await admin.close()
  const producer = new Producer({ ...options(job), idempotent: true, serializers: stringSerializers })
  for (const codec of codecs) {
    const messages = Array.from({ length: job.count }, (_, i) => ({
      topic: job.topic, key: key(codec, i), value: value(codec, i), headers: { codec, trace: key(codec, i) }
    }))
    await producer.send({ messages, compression: codec, acks: -1 })
    done(`produce ${codec}`)
  }
  await producer.close()
  await readThroughGroup(job, Math.floor(job.count * codecs.length / 2))
}

async function rest (job) {
  const total = job.count * codecs.length
  await readThroughGroup(job, total - Math.floor(total / 2))
  const admin = new Admin(options(job))
  check((await admin.listTopics()).includes(job.topic), 'the topic is not listed')
  const metadata = await admin.metadata({ topics: [job.topic] })
  checkBrokers(metadata.brokers.size)
  done('describe-cluster')
  check(metadata.topics.get(job.topic).partitionsCount === 3, 'three partitions')
  done('describe-topic')
  await configs(admin, job)
  await offsets(admin, job, total)
  await groups(admin, job, total)
  await admin.createPartitions({ topics: [{ name: job.topic, count: 4, assignments: [{ brokerIds: metadata.topics.get(job.topic).partitions[0].replicas }] }] })
  done('create-partitions')
  await admin.deleteTopics({ topics: [job.topic] })
  done('delete-topic')
  await admin.close()
}

async function configs (admin, job) {
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: job.topic }
  const retention = async () => {
    const found = await admin.describeConfigs({ resources: [{ ...resource, configurationKeys: ['retention.ms'] }] })
    return found[0].configs[0].value
  }
  check(await retention() === '3600000', 'retention.ms as created')
  await admin.incrementalAlterConfigs({
    resources: [{ ...resource, configs: [{ name: 'retention.ms', configOperation: IncrementalAlterConfigOperationTypes.SET, value: '7200000' }] }]
  })
  await eventually(retention, '7200000', 'retention.ms as altered')
  done('configs')
}

async function offsets (admin, job, total) {
  const at = async timestamp => {
    const partitions = [0, 1, 2].map(partitionIndex => ({ partitionIndex, timestamp }))
    const topics = await admin.listOffsets({ topics: [{ name: job.topic, partitions }] })
    return topics[0].partitions.map(p => Number(p.offset))
  }
  const ends = await at(ListOffsetTimestamps.LATEST)
  check(ends.reduce((sum, end) => sum + end, 0) === total, `ends ${ends}`)
  check((await at(1n)).every(offset => offset === 0), 'offsets after 1970')
  done('list-offsets')
  const deleted = await admin.deleteRecords({ topics: [{ name: job.topic, partitions: [{ partition: 0, offset: 5n }] }] })
  check(deleted[0].partitions[0].lowWatermark === 5n, 'low watermark after deleting records')
  done('delete-records')
  const dirs = await admin.describeLogDirs({ topics: [{ name: job.topic, partitions: [0, 1, 2] }] })
  check(dirs[0].results[0].topics[0].name === job.topic, 'the log directory holds the topic')
  done('log-dirs')
}

async function groups (admin, job, total) {
  const held = await admin.listConsumerGroupOffsets({ groups: [job.group] })
  const sum = held[0].topics[0].partitions.reduce((all, p) => all + Number(p.committedOffset), 0)
  check(sum === total, `${sum} of ${total} committed`)
  check((await admin.listGroups()).has(job.group), 'the group is listed')
  const described = await admin.describeGroups({ groups: [job.group] })
  check(described.get(job.group).state.toLowerCase() === 'empty', `the group is ${described.get(job.group).state}`)
  await admin.deleteGroups({ groups: [job.group] })
  done('groups')
}

main({ first, rest })
