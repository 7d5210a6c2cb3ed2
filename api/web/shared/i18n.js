// Binds texts to elements. The texts are in ../texts/, each in English and Chinese.
//
// An element that shows a text carries its key in `data-i18n` (its content) or `data-i18n-attr`
// ("name=key, name=key"), so that a language switch takes one walk over the document.
// In a text, {name} is a parameter and {n|page|pages} picks a form by the number n.

import audit, { SENTENCES } from '../texts/audit.js';
import chat from '../texts/chat.js';
import documents from '../texts/documents.js';
import knowledgeBase from '../texts/knowledge_base.js';
import operations from '../texts/operations.js';
import gate from '../texts/gate.js';
import page from '../texts/page.js';
import people from '../texts/people.js';
import reindex from '../texts/reindex.js';
import schedules from '../texts/schedules.js';
import sources from '../texts/sources.js';
import webhooks from '../texts/webhooks.js';

export const LANGUAGES = ['en', 'zh'];

const MESSAGES = {
  ...page, ...documents, ...knowledgeBase, ...reindex, ...sources, ...gate, ...schedules, ...webhooks, ...chat, ...operations,
  ...people, ...audit,
  ...Object.fromEntries(Object.entries(SENTENCES).map(([action, pair]) => [`did.${action}`, pair])),
};

const STORED = 'holdfast.language';
const bound = new WeakMap();
const listeners = new Set();
let current = initial();

function initial() {
  let wanted = null;
  try {
    wanted = localStorage.getItem(STORED);
  } catch {
    // Storage is disabled: the browser's language applies at each visit.
  }
  if (LANGUAGES.includes(wanted)) return wanted;
  return (navigator.language || 'en').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** The current language: 'en' or 'zh'. */
export const language = () => current;

/** The Accept-Language header, so that the server's sentences are in the same language. */
export const acceptLanguage = () => (current === 'zh' ? 'zh-CN, zh;q=0.9, en;q=0.5' : 'en, zh;q=0.5');

/** The locale for numbers and dates. */
export const locale = () => (current === 'zh' ? 'zh-CN' : 'en');

/** Whether there is a text of this key. */
export const has = (key) => Object.hasOwn(MESSAGES, key);

/** The text of a key. A parameter may be a function, which is called when the text is rendered. */
export function t(key, params = {}) {
  const pair = MESSAGES[key];
  if (!pair) throw new Error(`no text for ${key}`);
  return pair[LANGUAGES.indexOf(current)].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    const value = typeof params[name] === 'function' ? params[name]() : params[name];
    if (one !== undefined) return value === 1 ? one : many;
    return typeof value === 'number' ? new Intl.NumberFormat(locale()).format(value) : String(value ?? '');
  });
}

/** Show a text in an element, now and after each language switch. */
export function bind(element, key, params) {
  element.dataset.i18n = key;
  bound.set(element, { ...bound.get(element), text: params });
  element.textContent = t(key, params);
}

/** The same for an attribute. */
export function bindAttr(element, name, key, params) {
  const others = attributes(element).filter(([other]) => other !== name).map((pair) => pair.join('='));
  element.dataset.i18nAttr = [...others, `${name}=${key}`].join(', ');
  bound.set(element, { ...bound.get(element), [`@${name}`]: params });
  element.setAttribute(name, t(key, params));
}

/** Show a text without translation (a name, a server's sentence), now and after a language switch. */
export function plain(element, text) {
  delete element.dataset.i18n;
  element.textContent = text;
}

const attributes = (element) =>
  (element.dataset.i18nAttr || '').split(',').map((pair) => pair.trim().split('=')).filter((pair) => pair.length === 2);

function translate() {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-i18n]')) {
    element.textContent = t(element.dataset.i18n, bound.get(element)?.text);
  }
  for (const element of document.querySelectorAll('[data-i18n-attr]')) {
    for (const [name, key] of attributes(element)) {
      element.setAttribute(name, t(key, bound.get(element)?.[`@${name}`]));
    }
  }
}

/** Register a callback, called after each language switch and once at the start. */
export function onLanguage(listener) {
  listeners.add(listener);
}

export function setLanguage(wanted) {
  current = wanted;
  try {
    localStorage.setItem(STORED, wanted);
  } catch {
    // Storage is disabled: the choice lasts until the page is left.
  }
  startLanguage();
}

export function startLanguage() {
  translate();
  for (const listener of listeners) listener();
}
