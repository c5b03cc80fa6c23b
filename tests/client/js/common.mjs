// What both JavaScript clients share. What a client has to do and to print is in tests/client/README.md.
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
export const key = (codec, i) => `${codec}-${i}`
export const value = (codec, i) => `${key(codec, i)}:${'moldau '.repeat(i % 40)}`

const say = (...fields) => process.stdout.write(fields.join('\t') + '\n')
// Of a new topic; there are as many brokers, and one of several may be starting anew.
export const replicas = Number(process.env.REPLICAS ?? 1)
export const checkBrokers = n => check(n === replicas || (n > 0 && n === replicas - 1), `${n} brokers`)

export const done = what => say('done', what)
export const committed = (partition, offset) => say('committed', partition, offset)
export function read (partition, offset, key, value, headers) {
  const pairs = Object.entries(headers).map(([k, v]) => `${k}=${v}`).sort().join(';')
  say('read', partition, offset, key, value, pairs)
}

export function check (ok, what) {
  if (!ok) throw new Error(what)
}

// Kafka answers before its brokers have applied a change.
export async function eventually (read, want, what) {
  for (let i = 0; i < 50 && await read() !== want; i++) await new Promise(resolve => setTimeout(resolve, 100))
  check(await read() === want, what)
}

// Runs the program `first` or `rest` as the command line says; any error ends it.
export function main (programs) {
  const [phase, bootstrap, topic, group, count] = process.argv.slice(2)
  if (!programs[phase]) {
    console.error('usage: client first|rest BOOTSTRAP TOPIC GROUP COUNT')
    process.exit(2)
  }
  run(programs[phase]({ bootstrap: bootstrap.split(','), topic, group, count: Number(count) }))
}

// Runs the program of transactions.py: its steps are the same in every language.
export function transactions (program) {
  const [bootstrap, prefix] = process.argv.slice(2)
  run(program(bootstrap, prefix))
}

function run (program) {
  program.then(
    () => process.exit(0),
    error => {
      say('error', error?.stack ?? error)
      for (const cause of error?.errors ?? []) say('error', cause?.stack ?? cause)
      process.exit(1)
    })
}
