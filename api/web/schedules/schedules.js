// The schedules of all knowledge bases: a list that is looked at again while it is open, and the form for another one.

import { call } from '../shared/api.js';
import { confirmAction, confirmDelete } from '../shared/dialogs.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { ScheduleForm } from './form.js';
import { done, goesOn, scheduleRow } from './row.js';

const SOON_MS = 2_000;
const LATER_MS = 30_000;
const ACTED_MS = 20_000; // for so long after an action something is about to change

export const schedulesAddress = '#/schedules';

/** Whether the address is that of the schedules. */
export const isSchedules = () => location.hash.replace(/\/$/, '') === schedulesAddress;

const path = (name, action) => `/schedules/${encodeURIComponent(name)}${action ? `/${action}` : ''}`;

/** What can be focused in a row; a button that takes the place of another one gets its focus. */
const controls = (row) => [...row.querySelectorAll('a, summary, button')];

export class Schedules {
  constructor() {
    Object.assign(this, { isOpen: false, visit: 0, acted: 0 });
    document.addEventListener('visibilitychange', () => document.hidden || this.load());
  }

  /** Build the view, which exists only while it is open, and load it. */
  async open() {
    this.isOpen = true;
    this.denied = false;
    this.form = new ScheduleForm({
      onSaved: (info, isNew) => {
        announce(t(isNew ? 'schedule.created' : 'schedule.changed', { name: info.name }));
        this.hideForm();
        this.load();
      },
      onClose: () => this.hideForm(),
    });
    this.add = h('button', { type: 'button', class: 'primary', text: 'schedule.new', on: { click: () => this.showForm() } });
    this.list = h('ul', { class: 'schedule-list', labels: { 'aria-label': 'schedule.list' } });
    this.none = h('p', { class: 'empty', text: 'schedule.none', hidden: true });
    $('view-schedules').replaceChildren(
      h('header', { class: 'schedule-head' },
        h('h1', { id: 'schedules-title', tabindex: '-1', text: 'schedule.title' }),
        h('a', { href: '#/', text: 'schedule.back' })),
      h('p', { text: 'schedule.lead' }), h('div', {}, this.add), this.form.element, this.list, this.none);
    $('schedules-title').focus();
    await this.load();
  }

  close() {
    this.isOpen = false;
    this.visit += 1; // answers that are under way are for nobody
    clearTimeout(this.timer);
    $('view-schedules').replaceChildren();
  }

  /** Reload the server's sentences in the current language. */
  relanguage() {
    if (!this.isOpen) return;
    this.form.relanguage();
    this.load();
  }

  async showForm(schedule = null) {
    this.add.hidden = true;
    try {
      await this.form.open(schedule);
    } catch (problem) {
      this.add.hidden = false;
      if (problem.status !== 401) notify(problem);
    }
  }

  hideForm() {
    this.form.close();
    this.add.hidden = false;
    this.add.focus();
  }

  /** Load the list, and again soon while a run goes on. */
  async load() {
    if (!this.isOpen) return;
    const visit = (this.visit += 1);
    clearTimeout(this.timer);
    try {
      const { items } = await call('GET', '/schedules');
      if (visit !== this.visit) return;
      this.show(items);
      this.timer = setTimeout(() => document.hidden || this.load(), items.some(goesOn) || Date.now() < this.acted + ACTED_MS ? SOON_MS : LATER_MS);
    } catch (problem) {
      if (visit === this.visit && problem.status !== 401) notify(problem);
    }
  }

  /** Show the list; a focused button and open details stay as they are. */
  show(items) {
    const open = new Set([...this.list.querySelectorAll('details[open]')].map((each) => each.closest('li').dataset.name));
    const focused = document.activeElement?.closest('.schedule');
    const place = focused && controls(focused).indexOf(document.activeElement);
    this.list.replaceChildren(...items.map((info) => scheduleRow(info, {
      mayAct: !this.denied,
      act: (chosen, about) => this.act(chosen, about),
      runs: (about) => this.runs(about),
      isOpen: open.has(info.name),
    })));
    this.none.hidden = items.length > 0;
    const row = focused && [...this.list.children].find((each) => each.dataset.name === focused.dataset.name);
    if (row) controls(row).slice(0, place + 1).at(-1)?.focus();
  }

  async runs(name) {
    try {
      return (await call('GET', path(name))).runs;
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
      return [];
    }
  }

  async act(action, info) {
    const { name } = info;
    if (action === 'change') {
      await this.showForm(info);
      return;
    }
    const n = info.last?.counts.expired || 0;
    if (action === 'delete' && !(await confirmDelete('schedule.delete_title', ['schedule.delete_text', { name }]))) return;
    const asks = ['schedule.confirm_text', { n, kb: info.knowledge_base }];
    if (action === 'confirm' && !(await confirmAction('schedule.confirm_title', asks, 'schedule.confirm_yes', 'schedule.keep'))) return;
    try {
      if (action === 'delete') await call('DELETE', path(name));
      else await call('POST', path(name, action), action === 'confirm' ? { body: { documents: n } } : {});
      announce(done(action, name));
      this.acted = Date.now();
    } catch (problem) {
      this.denied ||= problem.status === 403;
      if (problem.status !== 401) notify(problem);
    }
    await this.load();
  }
}
