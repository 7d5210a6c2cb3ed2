// The page's one composition root: which view is shown, and what the views share.
//
//   app ── sign_in, knowledge_bases, documents ── document_row, document_list, drop_zone, uploads ── job
//     └── chat ── answer             └── batches ── batch_card, batch_upload, watcher
//   all of them on: api, sse, dom, format, i18n

import { call, session } from './api.js';
import { Chat } from './chat.js';
import { Documents } from './documents.js';
import { $, clearAnnouncements, clearNotices, notify } from './dom.js';
import { bind, language, onLanguage, plain, setLanguage, startLanguage, t } from './i18n.js';
import { KnowledgeBases, counts } from './knowledge_bases.js';
import { SignIn } from './sign_in.js';

const VIEWS = ['view-sign-in', 'view-choose', 'view-kb'];

const signIn = new SignIn(() => route());
const chooser = new KnowledgeBases();
const chat = new Chat();
const documents = new Documents(() => recount());
let here = null; // the name of the open knowledge base
let recounting = 0;

function show(view) {
  for (const other of VIEWS) $(other).hidden = other !== view;
  $('sign-out').hidden = view === 'view-sign-in';
  $('where').hidden = view !== 'view-kb';
  document.body.dataset.view = view;
}

function wanted() {
  const name = /^#\/kb\/([^/?]+)/.exec(location.hash)?.[1];
  try {
    return name ? decodeURIComponent(name) : null;
  } catch {
    return null;
  }
}

async function route() {
  if (!session.key) {
    show('view-sign-in');
    signIn.open();
    return;
  }
  const name = wanted();
  if (name === here && name) return;
  clearNotices();
  if (!name) await choose();
  else await enter(name);
}

async function choose() {
  leave();
  show('view-choose');
  title();
  await chooser.open();
}

function leave() {
  here = null;
  documents.close();
  chat.open(null);
}

async function enter(name) {
  leave();
  here = name;
  plain($('where-name'), name);
  try {
    const kb = await call('GET', `/knowledge-bases/${encodeURIComponent(name)}`);
    if (here !== name) return;
    plain($('where-name'), kb.title || kb.name);
    plain($('desk-title'), kb.title || kb.name);
    tally(kb.documents);
    panel(counts(kb.documents).ready ? 'ask' : 'documents');
    show('view-kb');
    title();
    chat.open(name);
    await documents.open(name);
  } catch (problem) {
    if (here !== name || problem.status === 401) return;
    here = null;
    if (problem.status === 404) {
      history.replaceState(null, '', '#/');
      await choose();
      notify(problem.sentence ? problem : ['error.kb_missing', { name }]);
    } else {
      show('view-choose');
      await chooser.open();
      notify(problem);
    }
  }
}

function title() {
  document.title = here ? t('app.title_kb', { kb: $('where-name').textContent }) : t('app.title');
}

function tally(given) {
  const { total, ready, failed, pending } = counts(given);
  bind($('documents-count'), 'kb.documents', { n: total });
  $('documents-count').hidden = !total;
  chat.counts({ total, ready, failed, pending });
}

/** The counts again, soon, once for many changes. */
function recount() {
  clearTimeout(recounting);
  const name = here;
  recounting = setTimeout(async () => {
    if (!name || name !== here) return;
    const kb = await call('GET', `/knowledge-bases/${encodeURIComponent(name)}`).catch(() => null);
    if (kb && name === here) tally(kb.documents);
  }, 400);
}

/** On a narrow screen one panel is shown at a time. */
function panel(name) {
  $('view-kb').dataset.panel = name;
  for (const tab of document.querySelectorAll('.tabs [data-panel]')) {
    if (tab.dataset.panel === name) tab.setAttribute('aria-current', 'true');
    else tab.removeAttribute('aria-current');
  }
}

function signedOut(problem) {
  session.signOut();
  leave();
  clearNotices();
  show('view-sign-in');
  title();
  signIn.open(problem);
}

for (const tab of document.querySelectorAll('.tabs [data-panel]')) {
  tab.addEventListener('click', () => panel(tab.dataset.panel));
}
$('sign-out').addEventListener('click', () => signedOut(null));
$('language').addEventListener('click', () => setLanguage(language() === 'zh' ? 'en' : 'zh'));
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  $('main').focus();
});
session.onSignedOut((problem) => {
  if (document.body.dataset.view !== 'view-sign-in') signedOut(problem);
});
window.addEventListener('hashchange', () => route());
onLanguage(() => {
  const other = language() === 'zh' ? ['English', 'en'] : ['中文', 'zh-CN'];
  [$('language').textContent, $('language').lang] = other;
  clearAnnouncements();
  title();
  documents.relanguage();
});

startLanguage();
route();
