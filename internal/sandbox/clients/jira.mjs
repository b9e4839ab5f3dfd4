// jira.js against the sandbox: lists, searches, pages to the end, comments, and OAuth through the gateway.
import * as jiraJs from 'jira.js';
import { app, basic, connect, counts, distinct, main, same, site } from './common.mjs';

// A body that does not match the client's schema ends the script; confluence.js always does so.
const strict = { onSchemaMismatch: 'throw' };

const doc = (text) => ({ type: 'doc', version: 1, content: [{ type: 'paragraph', content: [{ type: 'text', text }] }] });

const searchAll = async (jira, jql, fields, maxResults) => {
  const issues = [];
  let nextPageToken;
  do {
    const page = await jira.issueSearch.searchAndReconsileIssuesUsingJql({ jql, fields, maxResults, nextPageToken });
    issues.push(...page.issues);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken);
  return issues;
};

const commentsOf = async (jira, issueIdOrKey) => {
  const all = [];
  for (;;) {
    const page = await jira.issueComments.getComments({ issueIdOrKey, startAt: all.length, maxResults: 100 });
    all.push(...page.comments);
    if (all.length >= page.total || page.comments.length === 0) return all;
  }
};

const read = async (jira, want) => {
  same('the site', (await jira.serverInfo.getServerInfo()).deploymentType, 'Cloud');
  same('the user', Boolean((await jira.myself.getCurrentUser()).accountId), true);
  const projects = [];
  for (let last = false; !last; ) {
    const page = await jira.projects.searchProjects({ startAt: projects.length, maxResults: 2 });
    projects.push(...page.values);
    last = page.isLast;
  }
  same('projects', projects.length, want.projects);
  same('a project', (await jira.projects.getProject({ projectIdOrKey: projects[0].key })).id, projects[0].id);
  const keys = projects.map((project) => project.key).join(',');
  const jql = `project in (${keys}) ORDER BY updated ASC, id ASC`;
  const issues = await searchAll(jira, jql, ['summary', 'updated', 'description', 'status', 'assignee', 'labels'], 100);
  same('issues', issues.length, want.issues);
  distinct('issues', issues.map((issue) => issue.id));
  same('issues, counted', (await jira.issueSearch.countIssues({ jql })).count, want.issues);
  same('issues, all fields', (await searchAll(jira, `project = ${projects[0].key}`, ['*all'], 50)).length > 0, true);
  return issues;
};

const readIssue = async (jira, issues) => {
  let comments = 0;
  for (const issue of issues) {
    const all = await commentsOf(jira, issue.id);
    distinct(`comments of ${issue.key}`, all.map((comment) => comment.id));
    comments += all.length;
  }
  const one = await jira.issues.getIssue({ issueIdOrKey: issues[2].key, expand: ['changelog'] });
  same('an issue', one.id, issues[2].id);
  await jira.issues.getChangeLogs({ issueIdOrKey: one.key });
  await jira.issueWorklogs.getIssueWorklog({ issueIdOrKey: one.key });
  const fetched = await jira.issues.bulkFetchIssues({ issueIdsOrKeys: issues.slice(0, 3).map((issue) => issue.key), fields: ['summary'] });
  same('issues at once', fetched.issues.length, 3);
  same('fields', (await jira.issueFields.getFields()).some((field) => field.id === 'summary'), true);
  const parsed = await jira.jql.parseJqlQueries({ validation: 'strict', queries: ['project = PAY ORDER BY id', 'project ='] });
  same('a good and a bad query', parsed.queries.map((query) => Boolean(query.errors?.length)).join(), 'false,true');
  return comments;
};

const write = async (jira, issue) => {
  const before = (await commentsOf(jira, issue.key)).length;
  const made = await jira.issueComments.addComment({ issueIdOrKey: issue.key, body: doc('made by jira.js') });
  const after = await commentsOf(jira, issue.key);
  same('comments after one more', after.length, before + 1);
  same('the new comment', after.at(-1).id, made.id);
  const text = await jira.issueComments.addComment({ issueIdOrKey: issue.key, body: 'a text' });
  same('a comment by text', (await commentsOf(jira, issue.key)).at(-1).id, text.id);
  const newest = await searchAll(jira, 'project in (PAY, OPS, WEB, DATA, MOBILE) ORDER BY updated DESC', ['updated'], 5);
  same('the issue updated last', newest[0].id, issue.id);
};

const refused = async (what, call, check) => {
  try {
    await call();
  } catch (error) {
    same(what, check(error), true);
    return;
  }
  throw new Error(`${what}: was not refused`);
};

await main('jira.js', async () => {
  const want = await counts();
  const jira = jiraJs.createCloudClient({ host: site, auth: basic, ...strict });
  const issues = await read(jira, want);
  same('comments', await readIssue(jira, issues), want.issueComments);
  await write(jira, issues[0]);
  await refused('a missing issue', () => jira.issues.getIssue({ issueIdOrKey: 'NOPE-1' }), jiraJs.isNotFoundError);
  const stranger = jiraJs.createCloudClient({ host: site, auth: { ...basic, apiToken: 'wrong' }, ...strict });
  await refused('a wrong token', () => stranger.myself.getCurrentUser(), jiraJs.isAuthError);

  const scopes = ['read:jira-work', 'write:jira-work', 'read:jira-user', 'offline_access'];
  const tokens = await connect(jiraJs, scopes);
  same('the scopes', tokens.scope.split(' ').sort().join(' '), [...scopes].sort().join(' '));
  let rotated = '';
  const auth = { type: 'oauth2', ...app, refreshToken: tokens.refreshToken, onTokenRefresh: (event) => { rotated = event.refreshToken; } };
  const through = jiraJs.createCloudClient({ auth, ...strict });
  const seen = await read(through, want);
  same('the refresh token rotates', rotated !== '' && rotated !== tokens.refreshToken, true);
  await write(through, seen[1]);
  const narrow = await connect(jiraJs, ['read:jira-user', 'offline_access']);
  const less = jiraJs.createCloudClient({ auth: { type: 'oauth2', accessToken: narrow.accessToken }, ...strict });
  await refused('a missing scope', () => less.projects.searchProjects(), jiraJs.isScopeError);
});
