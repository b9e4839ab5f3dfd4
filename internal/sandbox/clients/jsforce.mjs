// What an app does with npm's jsforce, against a sandbox: consent, describe, query to the end, write, replicate.
//
//   node jsforce.mjs BASE_URL      e.g. http://127.0.0.1:8090
//
// It prints what it found as JSON; a failed expectation ends it with status 1.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const folder = process.env.UCF_TEST_CLIENTS ?? import.meta.dirname;
const jsforce = createRequire(path.join(folder, 'package.json'))('jsforce');

const base = process.argv[2];
const loginUrl = `${base}/salesforce`;
const redirectUri = 'http://127.0.0.1:8976/callback';

// connect gives consent and exchanges the code.
async function connect() {
  const oauth2 = new jsforce.OAuth2({
    loginUrl, clientId: 'sandbox-client', clientSecret: 'sandbox-secret', redirectUri, useVerifier: true,
  });
  const page = await fetch(`${oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'st-1' })}&approve=auto`, { redirect: 'manual' });
  const back = new URL(page.headers.get('location'));
  assert.equal(back.searchParams.get('state'), 'st-1');
  const conn = new jsforce.Connection({ oauth2, version: '67.0', refreshFn: undefined });
  const user = await conn.authorize(back.searchParams.get('code'));
  return { conn, user };
}

// everything reads a query with queryMore to the end.
async function everything(conn, soql, options) {
  let page = await conn.query(soql, options);
  const records = [...page.records];
  let pages = 1;
  for (; !page.done; pages++) {
    page = await conn.queryMore(page.nextRecordsUrl);
    records.push(...page.records);
  }
  assert.equal(records.length, page.totalSize, soql);
  assert.equal(new Set(records.map((r) => r.Id)).size, records.length, `${soql}: a record twice`);
  return { records, pages };
}

async function describes(conn) {
  const global = await conn.describeGlobal();
  const names = global.sobjects.map((o) => o.name);
  for (const name of ['Account', 'Case', 'CaseComment', 'Invoice__c', 'ActivityHistory']) assert.ok(names.includes(name), name);
  assert.ok(!names.includes('Salary__c'), 'an object that the user may not see');
  const account = await conn.sobject('Account').describe();
  const field = (name) => account.fields.find((f) => f.name === name);
  assert.equal(field('Name').nameField, true);
  assert.deepEqual(field('OwnerId').referenceTo, ['User']);
  assert.equal(field('BillingCity').compoundFieldName, 'BillingAddress');
  await assert.rejects(conn.sobject('Salary__c').describe(), { errorCode: 'NOT_FOUND' });
  return names.length;
}

async function queries(conn) {
  const counted = await conn.query('SELECT COUNT() FROM Case');
  const cases = await everything(conn, 'SELECT Id, CaseNumber, Owner.Name, Account.Name FROM Case', { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  assert.equal(cases.records.length, counted.totalSize);
  assert.ok(cases.records.every((r) => typeof r.Owner.Name === 'string'));
  const found = await conn.sobject('Invoice__c').find({ Paid__c: true, Amount__c: { $gte: 10 } }, ['Id', 'Amount__c', 'Due_Date__c']).sort({ Amount__c: -1 }).limit(5);
  assert.ok(found.length === 5 && found.every((r, i) => i === 0 || r.Amount__c <= found[i - 1].Amount__c));
  // Auto-fetch follows nextRecordsUrl by itself.
  const fetched = await conn.query('SELECT Id FROM Contact').run({ autoFetch: true, maxFetch: 100_000 });
  const star = await conn.sobject('Contact').find({}, '*').limit(1);
  assert.equal(typeof star[0].MailingAddress, 'object');
  const all = await conn.query('SELECT COUNT() FROM Case', { scanAll: true });
  assert.ok(all.totalSize > counted.totalSize, 'queryAll has deleted records too');
  await assert.rejects(conn.query('SELECT Id FROM Case WHERE'), { errorCode: 'MALFORMED_QUERY' });
  await assert.rejects(conn.query('SELECT Nothing FROM Case'), { errorCode: 'INVALID_FIELD' });
  await assert.rejects(conn.query('SELECT Id FROM Contract'), { errorCode: 'INSUFFICIENT_ACCESS' });
  return { cases: cases.records.length, pages: cases.pages, contacts: (fetched.records ?? fetched).length };
}

async function writes(conn) {
  const parent = (await conn.query('SELECT Id FROM Case ORDER BY SystemModstamp DESC LIMIT 1')).records[0].Id;
  const before = await conn.query(`SELECT COUNT() FROM CaseComment WHERE ParentId = '${parent}'`);
  const made = await conn.sobject('CaseComment').create({ ParentId: parent, CommentBody: 'Grüße "from" jsforce 🚀' });
  assert.equal(made.success, true);
  const comment = await conn.sobject('CaseComment').retrieve(made.id);
  assert.equal(comment.CommentBody, 'Grüße "from" jsforce 🚀');
  const after = await conn.query(`SELECT Id FROM CaseComment WHERE ParentId = '${parent}'`);
  assert.equal(after.totalSize, before.totalSize + 1);
  assert.equal((await conn.sobject('CaseComment').update({ Id: made.id, CommentBody: 'changed' })).success, true);
  const doomed = await conn.sobject('CaseComment').create({ ParentId: parent, CommentBody: 'to be deleted' });
  assert.equal((await conn.sobject('CaseComment').destroy(doomed.id)).success, true);
  const several = await conn.sobject('CaseComment').create([1, 2, 3].map((n) => ({ ParentId: parent, CommentBody: `comment ${n}` })));
  assert.ok(several.length === 3 && several.every((r) => r.success));
  const read = await conn.sobject('CaseComment').retrieve(several.map((r) => r.id));
  assert.deepEqual(read.map((r) => r.CommentBody), ['comment 1', 'comment 2', 'comment 3']);
  const changed = await conn.sobject('CaseComment').update(several.map((r) => ({ Id: r.id, CommentBody: 'changed' })));
  assert.ok(changed.every((r) => r.success));
  const gone = await conn.sobject('CaseComment').destroy(several.map((r) => r.id));
  assert.ok(gone.every((r) => r.success));
  for (const created of [true, false]) {
    const saved = await conn.sobject('Invoice__c').upsert({ External_Id__c: 'from jsforce', Amount__c: 12.5 }, 'External_Id__c');
    assert.equal(saved.success && saved.created, created);
  }
  const named = await conn.sobject('Account').create({ Name: 'Found by jsforce' });
  const search = await conn.search('FIND {Found jsforce} IN NAME FIELDS RETURNING Account(Id, Name)');
  assert.deepEqual(search.searchRecords.map((r) => r.Id), [named.id]);
  await assert.rejects(conn.sobject('CaseComment').create({ CommentBody: 'of nothing' }), { errorCode: 'REQUIRED_FIELD_MISSING' });
  return { comment: made.id, deleted: doomed.id };
}

async function replicates(conn, wrote) {
  const stamp = (await conn.sobject('CaseComment').retrieve(wrote.comment)).SystemModstamp;
  const at = Date.parse(stamp.replace('+0000', 'Z'));
  const [start, end] = [new Date(at - 3_600_000).toISOString(), new Date(at + 120_000).toISOString()];
  const updated = await conn.sobject('CaseComment').updated(start, end);
  assert.ok(updated.ids.includes(wrote.comment));
  assert.ok(!updated.ids.includes(wrote.deleted));
  const deleted = await conn.sobject('CaseComment').deleted(start, end);
  assert.ok(deleted.deletedRecords.some((r) => r.id === wrote.deleted));
  assert.match(deleted.latestDateCovered, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000$/);
  return updated.ids.length;
}

const { conn, user } = await connect();
const identity = await conn.identity();
assert.equal(identity.user_id, user.id);
const objects = await describes(conn);
const queried = await queries(conn);
const wrote = await writes(conn);
const updated = await replicates(conn, wrote);
const limits = await conn.limits();
assert.ok(limits.DailyApiRequests.Remaining < limits.DailyApiRequests.Max);
assert.ok(conn.limitInfo.apiUsage.used > 0);

// A session that is refused is renewed with the refresh token, and the call made again.
const refreshed = [];
conn.on('refresh', (token) => refreshed.push(token));
const refreshToken = conn.refreshToken;
await conn.oauth2.revokeToken(conn.accessToken);
assert.ok((await conn.query('SELECT Id FROM Account LIMIT 1')).totalSize === 1);
assert.equal(refreshed.length, 1);

console.log(JSON.stringify({ version: jsforce.VERSION ?? '', objects, ...queried, ...wrote, updated, refreshed: refreshed.length, user: user.id, hadRefreshToken: Boolean(refreshToken) }));
