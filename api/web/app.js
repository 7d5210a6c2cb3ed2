// The page's composition root: selects the view for the address and connects the modules.
//
//   app ── sign_in, invitation, account, knowledge_bases, settings, route
//     ├── documents ── filter, selection, row, actions, list ── job
//     │     ├── adding ── drop_zone, uploads, sending
//     │     ├── batches ── batch_card, batch_upload, watcher
//     │     └── bulk
//     ├── knowledge_base_settings ── fields, remove
//     ├── reindexes ── reindex_form, reindex_card ── plan, job
//     ├── schedules ── schedule_form, schedule_row ── job
//     ├── webhooks ── form, row, parts
//     ├── sources ── source_card ── job
//     ├── people ── users, groups ── parts
//     ├── keys, access ── parts
//     ├── audit ── filter, events, log, holds, answers, record ── sentence, address
//     ├── chat ── composer, question_run ── answer ── markdown, sources, feedback, quotes
//     ├── conversations ── menu, dialogs
//     ├── passages ── original, quotes
//     └── operations ── health, queues, throughput, jobs, failures, generations ── rows, job
//   all of them on: api, sse, dom, format, i18n, icons

import { AccessPanel } from './people/access.js';
import { atAudit, mayAudit } from './audit/address.js';
import { Audit } from './audit/audit.js';
import { Account } from './page/account.js';
import { call, session } from './shared/api.js';
import { Chat } from './chat/chat.js';
import { Conversations } from './chat/conversations.js';
import { Documents } from './documents/documents.js';
import { $, clearAnnouncements, clearNotices, notify } from './shared/dom.js';
import { bind, onLanguage, plain, startLanguage, t } from './shared/i18n.js';
import { drawIcons } from './shared/icons.js';
import { Invitation, invitationHere } from './page/invitation.js';
import { Keys, atKeys } from './people/keys.js';
import { KnowledgeBaseSettings } from './knowledge_base/settings.js';
import { KnowledgeBases, counts } from './page/knowledge_bases.js';
import { People, atPeople } from './people/people.js';
import { Passages } from './chat/passages.js';
import { Reindexes } from './reindex/reindexes.js';
import { Operations, operates } from './operations/operations.js';
import {
  accessAddress, askAddress, atOperations, conversationAddress, documentsAddress, here, indexAddress, rename, settingsAddress,
  sourcesAddress,
} from './shared/route.js';
import { Schedules, isSchedules } from './schedules/schedules.js';
import { Settings } from './page/settings.js';
import { Webhooks, atWebhooks } from './webhooks/webhooks.js';
import { learnRuns } from './shared/runs.js';
import { Side } from './page/side.js';
import { SignIn, refusalHere } from './page/sign_in.js';
import { Sources } from './sources/sources.js';

const VIEWS = [
  'view-sign-in', 'view-invitation', 'view-choose', 'view-operations', 'view-schedules', 'view-webhooks', 'view-people', 'view-keys', 'view-audit',
  'view-kb',
];
const TITLES = {
  documents: 'documents-title', index: 'index-title', settings: 'settings-title', sources: 'sources-title', access: 'access-title',
  ask: 'ask-title',
};
const LINKS = {
  documents: 'side-documents', index: 'side-index', settings: 'side-settings', sources: 'side-sources', access: 'side-access',
};
const TALLY_MS = 400;
const CHECK_MS = 20_000; // a session that was ended elsewhere ends here within this time
const RETURN = 'holdfast.return'; // where somebody was who left for the provider

drawIcons();
const signIn = new SignIn(() => route());
const invitation = new Invitation(() => route());
const account = new Account(() => signOut());
const people = new People(() => account.me);
const keys = new Keys(() => account.me);
const access = new AccessPanel();
const audit = new Audit();
const chooser = new KnowledgeBases();
const side = new Side();
const passages = new Passages();
const documents = new Documents({
  onChange: () => recount(),
  onAdd: () => here().panel !== 'documents' && (location.hash = documentsAddress(open)), // files dropped in the chat
  onShow: (item) => passages.whole(item),
  onAddress: (address) => {
    $('side-documents').href = address;
  },
});
const reindexes = new Reindexes({ onSwitched: () => documents.reload() });
const settings = new KnowledgeBaseSettings({
  onChanged: (kb) => {
    plain($('where-name'), kb.title || kb.name);
    title();
  },
  onDeleted: ({ name }) => {
    location.hash = '#/';
    deleted = name;
  },
});
const operations = new Operations();
const schedules = new Schedules();
const webhooks = new Webhooks(() => (account.me?.roles || []).some(operates));
const sources = new Sources({
  onSynced: () => {
    documents.refilter(); // some may be gone
    recount();
  },
});
const conversations = new Conversations({
  onRenamed: (id, name) => id === chat.id && (chat.title(name), title()),
  onDeleted: (id) => id === chat.id && (location.hash = askAddress(open)),
});
const chat = new Chat({
  onConversation: (id) => {
    rename(conversationAddress(open, id));
    mark();
    title();
  },
  onAsked: () => conversations.load(true),
  onPassage: (cited) => passages.cited(cited),
});
new Settings();
let open = null; // the name of the open knowledge base
let recounting = 0;
let placed = location.hash; // the address that is shown
let deleted = ''; // the knowledge base that was just deleted
let offered = ''; // the key whose role is known

function show(view) {
  for (const other of VIEWS) $(other).hidden = other !== view;
  $('account-open').hidden = !session.key;
  $('where').hidden = $('side-open').hidden = view !== 'view-kb';
  for (const each of ['operations', 'people', 'audit']) {
    if (view === `view-${each}`) $(`${each}-link`).setAttribute('aria-current', 'page');
    else $(`${each}-link`).removeAttribute('aria-current');
  }
  document.body.dataset.view = view;
}

async function route() {
  if (invitationHere()) {
    leave();
    session.forget();
    account.forget();
    show('view-invitation');
    title();
    invitation.open(invitationHere());
    return;
  }
  invitation.close();
  if (!session.key) {
    const refused = refusalHere();
    if (refused) rename('#/');
    show('view-sign-in');
    signIn.open(refused);
    return;
  }
  if (location.hash !== placed && (here().panel !== 'settings' || here().kb !== open) && settings.isDirty) {
    const wanted = location.hash;
    rename(placed); // until the person has decided
    if (!(await settings.mayLeave())) return;
    rename(wanted);
  }
  placed = location.hash;
  const wanted = here();
  clearNotices();
  side.close();
  await learnWho();
  if (!session.key) return;
  schedules.close();
  webhooks.close();
  people.close();
  keys.close();
  audit.close();
  if (atOperations()) {
    operate();
    return;
  }
  operations.close();
  if (atPeople()) await showPage('view-people', people);
  else if (atAudit()) await showPage('view-audit', audit);
  else if (atKeys()) await showPage('view-keys', keys);
  else if (atWebhooks()) await showPage('view-webhooks', webhooks);
  else if (isSchedules()) await showSchedules();
  else if (!wanted.kb) await choose();
  else if (wanted.kb !== open) await enter(wanted.kb);
  else await place();
}

/** Learn who is signed in, and offer what that person may use. */
async function learnWho() {
  if (offered === who()) return;
  offered = who();
  const me = await account.learn();
  const roles = me?.roles || [];
  $('operations-link').hidden = !roles.some(operates);
  $('people-link').hidden = !roles.includes('admin');
  $('audit-link').hidden = !roles.some(mayAudit);
  const manages = me?.everywhere === 'manager' || Boolean(me?.knowledge_bases.some((kb) => kb.role === 'manager'));
  $('kb-form').hidden = Boolean(me) && !manages;
  $('webhooks-link').hidden = !manages && !roles.some(operates);
  if (me?.must_change_password) account.changePassword(true);
  await learnRuns(roles);
}

/** What changes when somebody else signs in; a renewed access token does not. */
const who = () => (session.isPerson ? 'person' : session.key);

async function showPage(view, shown) {
  leave();
  show(view);
  title();
  await shown.open();
  title();
}

function operate() {
  leave();
  show('view-operations');
  title();
  $('operations-title').focus();
  operations.open();
}

async function choose() {
  leave();
  show('view-choose');
  title();
  if (deleted) notify(['kb_settings.deleted', { name: deleted }].flat(), 'good');
  deleted = '';
  await chooser.open();
}

async function showSchedules() {
  leave();
  show('view-schedules');
  title();
  await schedules.open();
}

function leave() {
  open = null;
  passages.close();
  documents.close();
  reindexes.close();
  settings.close();
  sources.close();
  access.close();
  conversations.close();
  chat.close();
}

async function enter(name) {
  leave();
  open = name;
  plain($('where-name'), name);
  try {
    const kb = await call('GET', `/knowledge-bases/${encodeURIComponent(name)}`);
    if (open !== name) return;
    plain($('where-name'), kb.title || kb.name);
    $('side-new').href = askAddress(name);
    $('ask-add').href = documentsAddress(name);
    $('side-index').href = indexAddress(name);
    $('side-settings').href = settingsAddress(name);
    $('side-settings').hidden = kb.role !== 'manager';
    $('side-sources').href = sourcesAddress(name);
    $('side-access').href = accessAddress(name);
    $('side-access').hidden = kb.role !== 'manager';
    show('view-kb');
    const listed = documents.open(name, kb.role);
    tally(kb.documents);
    conversations.open(name);
    if (!here().panel) rename(counts(kb.documents).ready ? askAddress(name) : documentsAddress(name));
    placed = location.hash;
    await place();
    await listed;
  } catch (problem) {
    if (open !== name || problem.status === 401) return;
    leave();
    if (problem.status === 404) rename('#/');
    await choose();
    notify(problem.status !== 404 || problem.sentence ? problem : ['error.kb_missing', { name }]);
  }
}

/** The panel of the current address. */
function shown() {
  return here().panel || 'ask';
}

/** Show the documents, the index, the settings or a conversation of the open knowledge base. */
async function place() {
  const { conversation, query } = here();
  const panel = shown();
  const before = $('view-kb').dataset.panel;
  $('view-kb').dataset.panel = panel;
  $('panel-documents').hidden = panel !== 'documents';
  $('panel-index').hidden = panel !== 'index';
  $('panel-settings').hidden = panel !== 'settings';
  $('panel-sources').hidden = panel !== 'sources';
  $('panel-access').hidden = panel !== 'access';
  $('panel-ask').hidden = panel !== 'ask';
  mark();
  if (panel !== 'index') reindexes.close();
  if (panel !== 'settings') settings.close();
  if (panel !== 'sources') sources.close();
  if (panel !== 'access') access.close();
  if (panel !== 'documents') documents.adding.showSending();
  if (panel !== 'ask') {
    title();
    if (before !== panel) passages.close();
    if (before !== panel || panel !== 'documents') $(TITLES[panel]).focus();
    if (panel === 'index') await reindexes.open(open, query);
    else if (panel === 'settings') await settings.open(open);
    else if (panel === 'sources') await sources.open(open);
    else if (panel === 'access') await access.open(open);
    else await documents.place(query);
    return;
  }
  if (chat.kb === open && chat.id === conversation && $('turns').childElementCount) {
    title();
    chat.toEnd();
    return;
  }
  passages.close();
  if (matchMedia('(pointer: fine)').matches) chat.composer.focus();
  else $('ask-title').focus();
  try {
    await chat.open(open, conversation);
  } catch (problem) {
    if (problem.status === 401) return;
    notify(problem.status === 404 ? 'conversation.missing' : problem);
    if (problem.status === 404) {
      rename(askAddress(open));
      mark();
      await chat.open(open, null);
    }
  }
  title();
}

/** Highlight the current view in the sidebar. */
function mark() {
  const { conversation } = here();
  conversations.mark(conversation);
  const current = LINKS[shown()] || (conversation ? '' : 'side-new');
  for (const link of [...Object.values(LINKS), 'side-new']) {
    if (link === current) $(link).setAttribute('aria-current', 'page');
    else $(link).removeAttribute('aria-current');
  }
}

function title() {
  const page = {
    'view-people': 'people.title', 'view-keys': 'keys.title', 'view-audit': 'audit.title', 'view-webhooks': 'webhook.title',
  }[document.body.dataset.view];
  if (page) document.title = `${t(page)} · ${t('app.title')}`;
  else if (isSchedules()) document.title = `${t('schedule.title')} · ${t('app.title')}`;
  else if (!open) document.title = t(atOperations() && session.key ? 'operations.page_title' : 'app.title');
  else {
    const what = $(TITLES[shown()]).textContent;
    document.title = t('app.title_in_kb', { what, kb: $('where-name').textContent });
  }
}

function tally(given) {
  const found = counts(given);
  bind($('documents-count'), 'kb.documents', { n: found.total });
  $('documents-count').hidden = !found.total;
  $('filters').hidden = !found.total;
  if (found.pending) bind($('side-count'), 'kb.pending', { n: found.pending });
  else bind($('side-count'), 'app.value', { value: found.total });
  $('side-count').hidden = !found.total;
  documents.tally(given);
  chat.counts(found);
}

/** Refresh the counts soon, once for several changes. */
function recount() {
  clearTimeout(recounting);
  const name = open;
  recounting = setTimeout(async () => {
    if (!name || name !== open) return;
    const kb = await call('GET', `/knowledge-bases/${encodeURIComponent(name)}`).catch(() => null);
    if (kb && name === open) tally(kb.documents);
  }, TALLY_MS);
}

async function signOut() {
  const provider = session.signOut(); // forgets the credentials at once
  signedOut(null);
  const address = await provider;
  if (address) location.assign(address);
}

function signedOut(problem) {
  session.forget();
  leave();
  documents.stop();
  operations.close();
  people.close();
  keys.close();
  audit.close();
  account.forget();
  offered = '';
  $('operations-link').hidden = $('people-link').hidden = $('audit-link').hidden = true;
  schedules.close();
  webhooks.close();
  clearNotices();
  show('view-sign-in');
  title();
  signIn.open(problem);
}

/** Begin: with the session of this browser, or the one with which the provider has just sent somebody back. */
async function start() {
  const arrived = location.hash === '#/signed-in';
  try {
    if (arrived) {
      rename(stored() || '#/');
      await session.arrive();
    } else {
      await session.resume();
    }
  } catch (problem) {
    show('view-sign-in');
    signIn.open(problem);
    return;
  }
  route();
}

/** Where somebody was who left for the provider. */
function stored() {
  try {
    const address = sessionStorage.getItem(RETURN);
    sessionStorage.removeItem(RETURN);
    return address?.startsWith('#/') ? address : '';
  } catch {
    return '';
  }
}

/** Ctrl+K or ⌘K focuses the question; Escape closes the passages if nothing else is open. */
function shortcut(event) {
  if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && open) {
    if (document.querySelector('dialog:modal')) return;
    event.preventDefault();
    if (shown() !== 'ask') {
      location.hash = chat.id ? conversationAddress(open, chat.id) : askAddress(open);
      if (settings.isDirty) return; // the person is asked first
    }
    $('panel-ask').hidden = false;
    chat.composer.focus();
  } else if (event.key === 'Escape' && !document.querySelector('dialog:modal, :popover-open')) {
    if (!side.close()) passages.close();
  }
}

document.addEventListener('keydown', shortcut);
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  $('main').focus();
});
session.onSignedOut((problem) => {
  if (document.body.dataset.view !== 'view-sign-in') signedOut(problem);
});
window.addEventListener('hashchange', () => route());
onLanguage(() => {
  clearAnnouncements();
  title();
  documents.relanguage();
  reindexes.relanguage();
  operations.relanguage();
  schedules.relanguage();
  webhooks.relanguage();
  sources.relanguage();
  conversations.draw();
});

function checkSession() {
  if (session.isPerson && !document.hidden) call('GET', '/me').catch(() => null);
}

setInterval(checkSession, CHECK_MS);
document.addEventListener('visibilitychange', checkSession);

startLanguage();
start();
