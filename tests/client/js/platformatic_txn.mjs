// @platformatic/kafka as a transactional producer. usage: platformatic_txn.mjs BOOTSTRAP PREFIX
// It names producer id 0 and epoch 0 as its own when it begins: only where the id was never used, or used by itself, is it
// not taken for a zombie. So there is no second producer with its id here. Its reader forgets at times which transactions
// of a fetched range were aborted (Apache Kafka's too): it reads just once.
import {
  Admin, Consumer, FetchIsolationLevels, MessagesStreamModes, Producer, stringDeserializers, stringSerializers
} from '@platformatic/kafka'
import { check, done, eventually, transactions } from './common.mjs'

transactions(async (bootstrap, prefix) => {
  const options = { clientId: 'platformatic', bootstrapBrokers: [bootstrap], retries: 3 }
  const [out, input, group] = [`${prefix}.out`, `${prefix}.in`, `${prefix}.group`]
  const producer = () => new Producer({ ...options, idempotent: true, transactionalId: `${prefix}.one`, serializers: stringSerializers })
  const send = (open, topic, ...values) => open.send({ messages: values.map(value => ({ topic, value, partition: 0 })), acks: -1 })
  const transaction = async (producer, commit, ...values) => {
    const open = await producer.beginTransaction()
    await send(open, out, ...values)
    await (commit ? open.commit() : open.abort())
  }
  let readers = 0
  const stream = async (topic, groupId, isolationLevel) => {
    const consumer = new Consumer({ ...options, groupId, autocommit: false, maxWaitTime: 500, isolationLevel, deserializers: stringDeserializers })
    return [consumer, await consumer.consume({ topics: [topic], autocommit: false, isolationLevel, mode: MessagesStreamModes.EARLIEST })]
  }
  // What a reader sees from the start, until it has seen the last of `want`.
  const seen = async (isolation, want) => {
    const [consumer, messages] = await stream(out, `${prefix}.reader-${readers++}`, isolation)
    const values = []
    for await (const message of messages) {
      values.push(message.value)
      if (values.includes(want.at(-1))) break
    }
    await consumer.close(true)
    check(String(values) === String(want), `isolation ${isolation}: ${values}`)
  }

  const one = producer()
  await transaction(one, true, '0-0', '0-1')
  await transaction(one, false, '1-0')
  await transaction(one, true, '2-0')
  done('commit and abort')
  await seen(FetchIsolationLevels.READ_COMMITTED, ['0-0', '0-1', '2-0'])
  await seen(FetchIsolationLevels.READ_UNCOMMITTED, ['0-0', '0-1', '1-0', '2-0'])
  done('read_committed')

  const feed = new Producer({ ...options, serializers: stringSerializers })
  await feed.send({ messages: ['a', 'b'].map(value => ({ topic: input, value, partition: 0 })), acks: -1 })
  await feed.close()
  const admin = new Admin(options)
  const [consumer, messages] = await stream(input, group, FetchIsolationLevels.READ_COMMITTED)
  const work = [false, true]
  for await (const message of messages) {
    const commit = work.shift()
    const open = await one.beginTransaction()
    await send(open, out, `did-${message.value}`)
    await open.addConsumer(consumer)
    await open.addOffset(message)
    await (commit ? open.commit() : open.abort())
    const held = async () => {
      const groups = await admin.listConsumerGroupOffsets({ groups: [group] })
      return groups[0].topics[0]?.partitions[0]?.committedOffset ?? -1n
    }
    await eventually(held, commit ? message.offset + 1n : -1n, `committed after ${message.offset}`)
    if (!work.length) break
  }
  await consumer.close(true)
  await admin.close()
  await one.close()
  done('offsets')
})
