// KafkaJS. It ships gzip; snappy and lz4 come from a WebAssembly package, zstd from Node itself.
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { lz4Compress, lz4Decompress, snappyCompress, snappyDecompress } from '@platformatic/wasm-utils'
import { check, checkBrokers, codecs, committed, done, eventually, key, main, read, replicas, value } from './common.mjs'

const { Kafka, CompressionCodecs, CompressionTypes, ConfigResourceTypes, logLevel } = kafkajs
const codec = (compress, decompress) => () => ({
  compress: async encoder => Buffer.from(compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(decompress(buffer))
})
CompressionCodecs[CompressionTypes.Snappy] = codec(snappyCompress, snappyDecompress)
CompressionCodecs[CompressionTypes.LZ4] = codec(lz4Compress, lz4Decompress)
CompressionCodecs[CompressionTypes.ZSTD] = codec(zlib.zstdCompressSync, zlib.zstdDecompressSync)
const types = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD
}

const connect = job => new Kafka({ clientId: 'kafkajs', brokers: job.bootstrap, logLevel: logLevel.ERROR })

async function withAdmin (job, work) {
  const admin = connect(job).admin()
  await admin.connect()
  await work(admin)
  await admin.disconnect()
}

// Reads `want` messages through the group and commits behind the last of each partition.
async function readThroughGroup (job, want) {
  const consumer = connect(job).consumer({ groupId: job.group })
  await consumer.connect()
  await consumer.subscribe({ topics: [job.topic], fromBeginning: true })
  const next = new Map()
  let taken = 0
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, event => reject(event.payload.error))
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (taken >= want) return
        taken++
        const headers = Object.fromEntries(Object.entries(message.headers).map(([k, v]) => [k, v.toString()]))
        read(partition, message.offset, message.key, message.value, headers)
        next.set(partition, String(BigInt(message.offset) + 1n))
        if (taken === want) resolve()
      }
    }).catch(reject)
  })
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic: job.topic, partition, offset })))
  for (const [partition, offset] of next) committed(partition, offset)
  await consumer.disconnect()
  done('group')
}

async function first (job) {
  await withAdmin(job, async admin => {
    const created = await admin.createTopics({
      topics: [{
        topic: job.topic, numPartitions: 3, replicationFactor: replicas,
        configEntries: [{ name: 'retention.ms', value: '3600000' }]
      }]
    })
    check(created, 'the topic was there already')
    done('create-topic')
  })
  const producer = connect(job).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const name of codecs) {
    const messages = Array.from({ length: job.count }, (_, i) => ({
      key: key(name, i), value: value(name, i), headers: { codec: name, trace: key(name, i) }
    }))
    await producer.send({ topic: job.topic, acks: -1, compression: types[name], messages })
    done(`produce ${name}`)
  }
  await producer.disconnect()
  await readThroughGroup(job, Math.floor(job.count * codecs.length / 2))
}

async function rest (job) {
  const total = job.count * codecs.length
  await readThroughGroup(job, total - Math.floor(total / 2))
  await withAdmin(job, async admin => {
    check((await admin.listTopics()).includes(job.topic), 'the topic is not listed')
    const { topics } = await admin.fetchTopicMetadata({ topics: [job.topic] })
    check(topics[0].partitions.length === 3, `${topics[0].partitions.length} partitions`)
    done('describe-topic')
    checkBrokers((await admin.describeCluster()).brokers.length)
    done('describe-cluster')
    const resource = { type: ConfigResourceTypes.TOPIC, name: job.topic }
    const retention = async () => {
      const found = await admin.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ['retention.ms'] }] })
      return found.resources[0].configEntries[0].configValue
    }
    check(await retention() === '3600000', 'retention.ms as created')
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
    await eventually(retention, '7200000', 'retention.ms as altered')
    done('configs')
    const offsets = await admin.fetchTopicOffsets(job.topic)
    check(offsets.reduce((sum, o) => sum + Number(o.high), 0) === total, `ends ${JSON.stringify(offsets)}`)
    const byTime = await admin.fetchTopicOffsetsByTimestamp(job.topic, 1)
    check(byTime.every(o => o.offset === '0'), `offsets after 1970 ${JSON.stringify(byTime)}`)
    done('list-offsets')
    const held = await admin.fetchOffsets({ groupId: job.group, topics: [job.topic] })
    check(held[0].partitions.reduce((sum, p) => sum + Number(p.offset), 0) === total, 'everything is committed')
    check((await admin.listGroups()).groups.some(g => g.groupId === job.group), 'the group is listed')
    const { groups } = await admin.describeGroups([job.group])
    check(groups[0].state === 'Empty', `the group is ${groups[0].state}`)
    await admin.deleteGroups([job.group])
    done('groups')
    await admin.deleteTopicRecords({ topic: job.topic, partitions: [{ partition: 0, offset: '5' }] })
    done('delete-records')
    await admin.createPartitions({ topicPartitions: [{ topic: job.topic, count: 4 }] })
    done('create-partitions')
    await admin.deleteTopics({ topics: [job.topic] })
    done('delete-topic')
  })
}

main({ first, rest })
