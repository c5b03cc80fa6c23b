// KafkaJS as a transactional producer. usage: kafkajs_txn.mjs BOOTSTRAP PREFIX
import kafkajs from 'kafkajs'
import { check, done, eventually, transactions } from './common.mjs'

const { Kafka, logLevel } = kafkajs

transactions(async (bootstrap, prefix) => {
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const [out, input, group] = [`${prefix}.out`, `${prefix}.in`, `${prefix}.group`]
  const producer = async () => {
    const made = kafka.producer({ transactionalId: `${prefix}.one`, maxInFlightRequests: 1, idempotent: true, retry: { retries: 3 } })
    await made.connect()
    return made
  }
  const transaction = async (producer, commit, ...values) => {
    const open = await producer.transaction()
    await open.send({ topic: out, messages: values.map(value => ({ value, partition: 0 })) })
    await (commit ? open.commit() : open.abort())
  }
  let readers = 0
  // What a reader sees from the start, until it has seen the last of `want`.
  const seen = async (readUncommitted, want) => {
    const consumer = kafka.consumer({ groupId: `${prefix}.reader-${readers++}`, readUncommitted, maxWaitTimeInMs: 200 })
    await consumer.connect()
    await consumer.subscribe({ topics: [out], fromBeginning: true })
    const values = []
    await new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, event => reject(event.payload.error))
      consumer.run({
        autoCommit: false,
        eachMessage: async ({ message }) => {
          values.push(message.value.toString())
          if (values.includes(want.at(-1))) resolve()
        }
      }).catch(reject)
    })
    await consumer.disconnect()
    check(String(values) === String(want), `${readUncommitted ? 'read_uncommitted' : 'read_committed'}: ${values}`)
  }

  const one = await producer()
  await transaction(one, true, '0-0', '0-1')
  await transaction(one, false, '1-0')
  await transaction(one, true, '2-0')
  done('commit and abort')
  await seen(false, ['0-0', '0-1', '2-0'])
  await seen(true, ['0-0', '0-1', '1-0', '2-0'])
  done('read_committed')

  const zombie = await one.transaction()
  await zombie.send({ topic: out, messages: [{ value: 'zombie', partition: 0 }] })
  const two = await producer()
  await transaction(two, true, 'owner')
  const fenced = await zombie.commit().then(() => false, () => true)
  check(fenced, 'a fenced producer committed')
  await one.disconnect()
  await seen(false, ['0-0', '0-1', '2-0', 'owner'])
  done('fence')

  const admin = kafka.admin()
  await admin.connect()
  for (const [offset, commit] of [['1', false], ['2', true]]) {
    const open = await two.transaction()
    await open.sendOffsets({ consumerGroupId: group, topics: [{ topic: input, partitions: [{ partition: 0, offset }] }] })
    await open.send({ topic: out, messages: [{ value: `upto-${offset}`, partition: 0 }] })
    await (commit ? open.commit() : open.abort())
    const held = async () => (await admin.fetchOffsets({ groupId: group, topics: [input] }))[0].partitions[0].offset
    await eventually(held, commit ? offset : '-1', `committed after ${offset}`) // the marker may still be under way
  }
  await admin.disconnect()
  await two.disconnect()
  await seen(false, ['0-0', '0-1', '2-0', 'owner', 'upto-2'])
  done('offsets')
})
