// Runs a browser for a test: reads commands from standard input and answers on
// standard output, a line of JSON each.
//
//   {"id": 1, "page": "anna", "do": "hear", "args": [1234]}
//   {"id": 1, "result": {...}}   or   {"id": 1, "error": "..."}
//
// A page is made when it is first named. "do" is a function of page.js, or
// "screenshot" with a file to write.
//
// usage: node driver.mjs chromium|firefox

import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import readline from 'node:readline'

import puppeteer from 'puppeteer-core'

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
const site = `http://127.0.0.1:${files.address().port}`

// Both have microphones and cameras that are made up, ask nobody, and play
// without a click. Firefox offers only the address of a default route to who
// may not use a camera.
const browsers = {
  chromium: {
    executablePath: '/usr/bin/chromium',
    pipe: true,
    args: [
      '--no-sandbox', // root in a container
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
    ],
  },
  firefox: {
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'permissions.default.camera': 1,
      'media.autoplay.default': 0,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
    },
  },
}
const browser = await puppeteer.launch({ ...browsers[process.argv[2]], defaultViewport: { width: 1280, height: 800 } })
const pages = new Map()

async function open(name) {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  page.on('console', (message) => process.stderr.write(`${name}: ${message.text()}\n`))
  page.on('pageerror', (err) => process.stderr.write(`${name}: ${err}\n`))
  await page.goto(`${site}/page.html`)
  await page.waitForFunction(() => window.member)
  return page
}

async function run({ page: name, do: what, args = [] }) {
  if (!pages.has(name)) pages.set(name, open(name))
  const page = await pages.get(name)
  if (what === 'screenshot') return page.screenshot({ path: args[0] }).then(() => null)
  return page.evaluate((fn, list) => window.member[fn](...list), what, args)
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
