// confluence.js against the sandbox: lists, searches, pages to the end, comments, and OAuth through the gateway.
import * as confluenceJs from 'confluence.js';
import { app, basic, connect, counts, distinct, main, same, site } from './common.mjs';

const cursorOf = (links) => (links?.next ? new URL(links.next, 'http://localhost').searchParams.get('cursor') : undefined);

// all follows a listing of version 2 to its end.
const all = async (what, list, parameters) => {
  const found = [];
  let cursor;
  do {
    const page = await list({ ...parameters, cursor });
    found.push(...page.results);
    cursor = cursorOf(page._links);
  } while (cursor);
  distinct(what, found.map((one) => one.id));
  return found;
};

const threads = async (v2, roots, children) => {
  let n = 0;
  const open = [...roots];
  while (open.length > 0) {
    n += 1;
    open.push(...(await all('answers', children, { id: open.shift().id, limit: 50 })));
  }
  return n;
};

const lists = async (v2, want) => {
  const spaces = await all('spaces', v2.space.getSpaces, { limit: 2 });
  same('spaces', spaces.length, want.spaces);
  same('a space', (await v2.space.getSpaceById({ id: spaces[0].id, descriptionFormat: 'plain' })).key, spaces[0].key);
  const pages = await all('pages', v2.page.getPages, { limit: 50, bodyFormat: 'storage', status: ['current'], sort: '-modified-date' });
  same('pages', pages.length, want.pages);
  same('a body', pages.some((page) => page.body.storage.value.includes('ac:structured-macro')), true);
  same('trashed pages', (await all('trash', v2.page.getPages, { status: ['trashed'] })).length, want.trashedPages);
  const inSpaces = [];
  for (const space of spaces) {
    inSpaces.push(...(await all('pages of a space', v2.page.getPagesInSpace, { id: space.id, limit: 250, status: ['current'] })));
  }
  same('pages of all spaces', inSpaces.length, want.pages);
  const posts = await all('blog posts', v2.blogPost.getBlogPosts, { limit: 7, bodyFormat: 'atlas_doc_format', status: ['current'] });
  same('blog posts', posts.length, want.blogPosts);
  same('a document', JSON.parse(posts[0].body.atlas_doc_format.value).type, 'doc');
  const footer = await all('footer comments', v2.comment.getFooterComments, { limit: 250, sort: '-modified-date', bodyFormat: 'storage' });
  same('footer comments', footer.length, want.footerComments);
  const inline = await all('inline comments', v2.comment.getInlineComments, { limit: 250, bodyFormat: 'storage' });
  same('inline comments', inline.length, want.inlineComments);
  return { pages, posts, footer, inline };
};

const nested = async (v2, { pages, footer, inline }) => {
  const page = pages.find((one) => footer.filter((note) => note.pageId === one.id).length > 100);
  const onPage = (notes) => notes.filter((note) => note.pageId === page.id).length;
  const roots = await all('comments', v2.comment.getPageFooterComments, { id: page.id, bodyFormat: 'storage' });
  same('footer comments of a page', await threads(v2, roots, v2.comment.getFooterCommentChildren), onPage(footer));
  const marks = await all('marks', v2.comment.getPageInlineComments, { id: page.id });
  same('inline comments of a page', await threads(v2, marks, v2.comment.getInlineCommentChildren), onPage(inline));
  same('a comment', (await v2.comment.getFooterCommentById({ commentId: footer[0].id, bodyFormat: 'storage' })).id, footer[0].id);
  same('a page', (await v2.page.getPageById({ id: page.id, bodyFormat: 'atlas_doc_format' })).id, page.id);
};

const search = async (v1, cql) => {
  const found = [];
  for (let cursor; ; ) {
    const page = await v1.search.searchByCQL({ cql, limit: 50, cursor });
    found.push(...page.results);
    cursor = cursorOf(page._links);
    if (!cursor) {
      same(`found by ${cql}`, found.length, page.totalSize);
      distinct(`found by ${cql}`, found.map((one) => one.content.id));
      return found;
    }
  }
};

const write = async (v2, page) => {
  const body = { representation: 'storage', value: '<p>made by confluence.js</p>' };
  const made = await v2.comment.createFooterComment({ pageId: page.id, body });
  const reply = await v2.comment.createFooterComment({ parentCommentId: made.id, body });
  const newest = await v2.comment.getFooterComments({ sort: '-modified-date', limit: 2 });
  same('the newest comments', newest.results.map((note) => note.id).join(), [reply.id, made.id].join());
  const answers = await all('answers', v2.comment.getFooterCommentChildren, { id: made.id });
  same('the answer', answers.map((note) => note.id).join(), reply.id);
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

await main('confluence.js', async () => {
  const want = await counts();
  const v2 = confluenceJs.createV2Client({ host: site, auth: basic });
  const v1 = confluenceJs.createV1Client({ host: site, auth: basic });
  const listed = await lists(v2, want);
  await nested(v2, listed);
  const pages = await search(v1, 'type = page and space in (ENG, HR) order by lastmodified');
  const comments = await search(v1, 'type = comment and space = ENG order by created desc');
  same('a search finds pages and comments', pages.length > 0 && comments.length > 0, true);
  same('the user', Boolean((await v1.users.getCurrentUser()).accountId), true);
  await write(v2, listed.pages[0]);
  await refused('a missing page', () => v2.page.getPageById({ id: '1' }), confluenceJs.isNotFoundError);

  const scopes = [
    'read:space:confluence', 'read:page:confluence', 'read:comment:confluence', 'write:comment:confluence', 'read:user:confluence',
    'read:confluence-user', 'search:confluence', 'offline_access',
  ];
  const tokens = await connect(confluenceJs, scopes);
  let rotated = '';
  const auth = { type: 'oauth2', ...app, refreshToken: tokens.refreshToken, onTokenRefresh: (event) => { rotated = event.refreshToken; } };
  const through = confluenceJs.createV2Client({ auth });
  const seen = await lists(through, await counts());
  same('the refresh token rotates', rotated !== '' && rotated !== tokens.refreshToken, true);
  await write(through, seen.pages[1]);
  const narrow = await connect(confluenceJs, ['read:space:confluence', 'offline_access']);
  const less = confluenceJs.createV2Client({ auth: { type: 'oauth2', accessToken: narrow.accessToken } });
  await refused('a missing scope', () => less.page.getPages(), confluenceJs.isScopeError);
});
