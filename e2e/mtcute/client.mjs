// One mtcute client of a server that client.json describes.

import { connectWs } from '@fuman/net'
import {
  IntermediatePacketCodec, MemoryStorage, ObfuscatedPacketCodec, TelegramClient,
} from '@mtcute/node'
import { NodeCryptoProvider } from '@mtcute/node/utils.js'
import { addPublicKey } from '@mtcute/core/utils.js'
import WebSocket from 'ws'

// How long a step may take, in milliseconds.
export const patience = 30_000

/** Returns a client that is not connected yet. */
export async function open(server, { webSocket = false, pfs = false } = {}) {
  const crypto = new NodeCryptoProvider()
  await crypto.initialize?.()
  addPublicKey(crypto, server.public_key)
  const [ipAddress, port] = server.tcp.split(':')
  const dc = { ipAddress, port: Number(port), id: server.dc_id }
  const options = {
    apiId: server.api_id,
    apiHash: server.api_hash,
    storage: new MemoryStorage(),
    crypto,
    logLevel: 2,
    defaultDcs: { main: dc, media: { ...dc, mediaOnly: true } },
    network: { usePfs: pfs },
    // Updates come to us as they are; replies are looked at by who asked.
    updates: { catchUp: false },
  }
  if (webSocket) {
    options.transport = {
      connect: () => connectWs({ url: server.ws, implementation: WebSocket, protocols: 'binary' }),
      packetCodec: () => new ObfuscatedPacketCodec(new IntermediatePacketCodec()),
    }
  }
  return new Client(new TelegramClient(options), server)
}

export class Client {
  constructor(tg, server) {
    this.tg = tg
    this.server = server
    this.updates = []
    this.errors = []
    tg.onRawUpdate.add((info) => this.updates.push(info.update))
    tg.onError.add((err) => this.errors.push(err))
  }

  /** Signs in by a dev code, and up when the number is new. */
  async signIn(phone, code, firstName) {
    const { server } = this
    const sent = await this.call({
      _: 'auth.sendCode', phoneNumber: phone, apiId: server.api_id, apiHash: server.api_hash, settings: { _: 'codeSettings' },
    })
    let auth = await this.call({ _: 'auth.signIn', phoneNumber: phone, phoneCodeHash: sent.phoneCodeHash, phoneCode: code })
    if (auth._ === 'auth.authorizationSignUpRequired') {
      auth = await this.call({ _: 'auth.signUp', phoneNumber: phone, phoneCodeHash: sent.phoneCodeHash, firstName, lastName: '' })
    }
    await this.signedIn(auth)
  }

  /** Signs in as a bot. */
  async signInBot(token) {
    await this.signedIn(await this.call({ _: 'auth.importBotAuthorization', flags: 0, apiId: this.server.api_id, apiHash: this.server.api_hash, botAuthToken: token }))
  }

  async signedIn(auth) {
    this.self = await this.tg.notifyLoggedIn(auth)
    await this.tg.startUpdatesLoop()
  }

  /** Calls a method; an answer that never comes is an error. */
  call(request) {
    return this.tg.call(request, { timeout: patience, floodSleepThreshold: 0, maxRetryCount: 0 })
  }

  /** Waits for a pushed update. */
  async pushed(what, is) {
    const deadline = Date.now() + patience
    for (;;) {
      const found = this.updates.find(is)
      if (found) return found
      if (Date.now() > deadline) {
        throw new Error(`no update with ${what} among ${this.updates.map((u) => u._)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async close() {
    await this.tg.destroy()
    if (this.errors.length) throw new AggregateError(this.errors, 'errors of the client')
  }
}
