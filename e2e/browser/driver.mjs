// Runs a browser for a test: reads commands from standard input and answers on
// standard output, a line of JSON each.
//
//   {"id": 1, "page": "anna", "do": "hear", "args": [1234]}
//   {"id": 1, "result": {...}}   or   {"id": 1, "error": "..."}
//
// A page is made when it is first named. "do" is a function of page.js, or
// "screenshot" with a file to write.
//
// usage: node driver.mjs [BROWSER ARGUMENT...]

import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import readline from 'node:readline'

import { chromium } from 'playwright-core'

const here = import.meta.dirname
const types = { '.js': 'text/javascript', '.html': 'text/html' }

// The page comes from loopback, which makes it trusted.
const files = http.createServer((request, response) => {
  const name = path.basename(new URL(request.url, 'http://x').pathname) || 'page.html'
  if (!['page.html', 'page.js', 'sdp.js'].includes(name)) {
    response.writeHead(404).end()
    return
  }
  response.writeHead(200, { 'content-type': types[path.extname(name)] })
  fs.createReadStream(path.join(here, name)).pipe(response)
})
await new Promise((done) => { files.listen(0, '127.0.0.1', done) })

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', // root in a container
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    ...process.argv.slice(2),
  ],
})
const pages = new Map()

async function open(name) {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'], viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  page.on('console', (message) => process.stderr.write(`${name}: ${message.text()}\n`))
  page.on('pageerror', (err) => process.stderr.write(`${name}: ${err}\n`))
  await page.goto(`http://127.0.0.1:${files.address().port}/page.html`)
  await page.waitForFunction(() => window.member)
  return page
}

async function run({ page: name, do: what, args = [] }) {
  if (!pages.has(name)) pages.set(name, open(name))
  const page = await pages.get(name)
  if (what === 'screenshot') return page.screenshot({ path: args[0] }).then(() => null)
  return page.evaluate(([fn, list]) => window.member[fn](...list), [what, args])
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, ...command } = JSON.parse(line)
  run(command).then(
    (result) => ({ id, result: result ?? null }),
    (err) => ({ id, error: String(err.message ?? err) }),
  ).then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`))
}
await browser.close()
files.close()
