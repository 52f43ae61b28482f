// The seed scenario for mtcute: a scheduled call is started early, and
// everyone who has to hears of it.
//
// usage: node seed.mjs client.json NUMBER:CODE NUMBER:CODE

import assert from 'node:assert/strict'
import fs from 'node:fs'

import Long from 'long'

import { open } from './client.mjs'

const [file, ...people] = process.argv.slice(2)
const server = JSON.parse(fs.readFileSync(file, 'utf8'))
const phones = people.map((p) => p.split(':'))

/** Expects an rpc_error. */
async function refused(what, code, name, promise) {
  await assert.rejects(promise, (err) => {
    assert.equal(`${err.code} ${err.text}`, `${code} ${name}`, what)
    return true
  }, what)
}

const isAction = (name, id) => (m) => m.action?._ === name && m.action.call.id.eq(id)
const find = (updates, name) => updates.find((u) => u._ === name)

const owner = await open(server)
const member = await open(server, { webSocket: true })
const bot = await open(server, { pfs: true })
const stranger = await open(server)
await owner.signIn(...phones[0], 'Owner')
await member.signIn(...phones[1], 'Member')
await bot.signInBot('77:mtcute')

// A supergroup with a member.
const created = await owner.call({ _: 'channels.createChannel', megagroup: true, title: 'mtcute', about: '' })
const channel = created.chats.find((c) => c.title === 'mtcute')
const group = { _: 'inputChannel', channelId: channel.id, accessHash: channel.accessHash }
const peer = { ...group, _: 'inputPeerChannel' }
const found = await owner.call({ _: 'contacts.resolvePhone', phone: phones[1][0] })
const user = found.users[0]
assert.equal(user.id, member.self.id, 'the phone resolves to the member')
const invited = await owner.call({
  _: 'channels.inviteToChannel', channel: group, users: [{ _: 'inputUser', userId: user.id, accessHash: user.accessHash }],
})
assert.deepEqual(invited.missingInvitees, [], 'the member comes')

// A call in an hour.
const scheduleDate = Math.floor(Date.now() / 1000) + 3600
const scheduled = await owner.call({ _: 'phone.createGroupCall', peer, randomId: 7, title: 'Weekly', scheduleDate })
const made = find(scheduled.updates, 'updateGroupCall').call
assert.equal(made._, 'groupCall')
assert.equal(made.scheduleDate, scheduleDate)
const { id } = made
const message = find(scheduled.updates, 'updateNewChannelMessage').message
assert.equal(message.action._, 'messageActionGroupCallScheduled')
await member.pushed('the schedule', (u) => u._ === 'updateGroupCall' && u.call.id.eq(id) && u.call.scheduleDate === scheduleDate)

// The member finds it and subscribes.
const dialogs = await member.call({
  _: 'messages.getDialogs', offsetDate: 0, offsetId: 0, offsetPeer: { _: 'inputPeerEmpty' }, limit: 100, hash: Long.ZERO,
})
const theirs = dialogs.chats.find((c) => c.id === channel.id)
assert.ok(theirs.callActive, 'the dialog shows the call')
const memberGroup = { _: 'inputChannel', channelId: theirs.id, accessHash: theirs.accessHash }
const full = await member.call({ _: 'channels.getFullChannel', channel: memberGroup })
const call = full.fullChat.call
assert.ok(call.id.eq(id), 'the full chat names the call')
const subscribed = await member.call({ _: 'phone.toggleGroupCallStartSubscription', call, subscribed: true })
assert.ok(find(subscribed.updates, 'updateGroupCall').call.scheduleStartSubscribed, 'subscribed')

// Who must not start it.
const start = (c) => ({ _: 'phone.startScheduledGroupCall', call: c })
await refused('a plain member', 403, 'GROUPCALL_FORBIDDEN', member.call(start(call)))
await refused('a wrong id', 400, 'GROUPCALL_INVALID', owner.call(start({ ...call, id: id.add(1) })))
await refused('a bot', 400, 'BOT_METHOD_INVALID', bot.call(start(call)))
await refused('a stranger', 401, 'AUTH_KEY_UNREGISTERED', stranger.call(start(call)))

// The start.
const started = await owner.call(start(call))
assert.equal(find(started.updates, 'updateGroupCall').call.scheduleDate, undefined)
assert.ok(started.updates.some((u) => u._ === 'updateNewChannelMessage' && isAction('messageActionGroupCall', id)(u.message)))
await member.pushed('the start', (u) => u._ === 'updateGroupCall' && u.call.id.eq(id) && u.call._ === 'groupCall' && !u.call.scheduleDate)
await member.pushed('the message', (u) => u._ === 'updateNewChannelMessage' && isAction('messageActionGroupCall', id)(u.message))
await member.pushed('the notice', (u) => u._ === 'updateNewMessage' && u.message.peerId.userId === 777000 && u.message.message)
const got = await member.call({ _: 'phone.getGroupCall', call, limit: -1 })
assert.equal(got.call.scheduleDate, undefined)
assert.ok(got.call.version >= 1)
const history = await member.call({
  _: 'messages.getHistory', peer: { ...memberGroup, _: 'inputPeerChannel' },
  offsetId: 0, offsetDate: 0, addOffset: 0, limit: 10, maxId: 0, minId: 0, hash: Long.ZERO,
})
assert.ok(isAction('messageActionGroupCall', id)(history.messages[0]), 'the history has the start')
await refused('again', 403, 'GROUPCALL_ALREADY_STARTED', owner.call(start(call)))

// The end.
const ended = await owner.call({ _: 'phone.discardGroupCall', call })
assert.equal(find(ended.updates, 'updateGroupCall').call._, 'groupCallDiscarded')
await member.pushed('the end', (u) => u._ === 'updateGroupCall' && u.call._ === 'groupCallDiscarded' && u.call.id.eq(id))

for (const c of [owner, member, bot, stranger]) await c.close()
console.log('mtcute: the seed scenario passed')
process.exit(0)
