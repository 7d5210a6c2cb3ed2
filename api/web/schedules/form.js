// The form of a schedule, a new one or one to change: what it starts, when, and the options of its kind.

import { call } from '../shared/api.js';
import { h, problemLine } from '../shared/dom.js';
import { field, number, text } from '../shared/fields.js';
import { bind, locale, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { KINDS } from './row.js';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
const OFTEN = {
  daily: 'schedule.daily',
  workdays: 'schedule.workdays',
  weekly: 'schedule.weekly',
  monthly: 'schedule.monthly',
  every: 'schedule.every',
  cron: 'schedule.cron',
};

/** Fields of each choice of "how often". */
const SHOWN = {
  daily: ['at', 'zone'],
  workdays: ['at', 'zone'],
  weekly: ['weekday', 'at', 'zone'],
  monthly: ['day', 'at', 'zone'],
  every: ['minutes'],
  cron: ['cron', 'zone'],
};

const select = (choices) =>
  h('select', {}, ...Object.entries(choices).map(([value, key]) => h('option', { value, text: key })));
const check = (key) => {
  const input = h('input', { type: 'checkbox' });
  return Object.assign(h('label', { class: 'check' }, input, h('span', { text: key })), { input });
};

export class ScheduleForm {
  /** `onSaved(info, isNew)` when the server has it; `onClose()` when the form is left. */
  constructor({ onSaved, onClose }) {
    Object.assign(this, { onSaved, changed: null });
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    this.name = field('schedule.name', text(63), 'schedule.name_rule');
    this.kind = field('schedule.kind', select({ reindex: KINDS.reindex, sync: KINDS.sync, retention: KINDS.retention }));
    this.kb = field('schedule.kb', h('select'));
    this.often = field('schedule.often', select(OFTEN));
    this.when = {
      at: field('schedule.at', h('input', { type: 'time', value: '02:00', required: true })),
      weekday: field('schedule.weekday', h('select')),
      day: field('schedule.day', number(1, 31, 1)),
      minutes: field('schedule.minutes', number(1, 527040, 60)),
      cron: field('schedule.cron_text', text(120, '0 2 * * 1-5', true), 'schedule.cron_help'),
      zone: field('schedule.zone', text(64, ZONE, true)),
    };
    this.options = { reindex: this.reindexOptions(), sync: this.syncOptions(), retention: this.retentionOptions() };
    this.note = field('schedule.note', text(500));
    this.paused = check('schedule.start_paused');
    this.submit = h('button', { type: 'submit', class: 'primary', text: 'schedule.create' });
    this.title = h('h2', {});
    this.element = h('form', { class: 'card schedule-form', novalidate: true, hidden: true },
      this.title, this.problem,
      h('div', { class: 'field-row' }, this.name, this.kind, this.kb),
      h('div', { class: 'field-row' }, this.often, ...Object.values(this.when)),
      ...Object.values(this.options).map(({ element }) => element),
      this.note, this.paused,
      h('div', { class: 'form-foot' }, this.submit,
        h('button', { type: 'button', class: 'secondary', text: 'schedule.close', on: { click: onClose } })));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    this.element.addEventListener('input', () => {
      problemLine(this.problem, null);
      this.arrange();
    });
    this.arrange();
  }

  reindexOptions() {
    const fields = {
      max_tokens: field('schedule.max_tokens', number(32, 2048, '', false)),
      overlap_tokens: field('schedule.overlap_tokens', number(0, 512, '', false)),
    };
    const approve = check('schedule.approve');
    const element = h('div', { class: 'schedule-options' }, h('div', { class: 'field-row' }, ...Object.values(fields)), approve);
    return { element, fields, approve, read: () => ({ ...given(fields, this.changed), approve: approve.input.checked }) };
  }

  syncOptions() {
    const fields = { source_id: field('schedule.source', text(255, '', true), 'schedule.source_help') };
    const element = h('div', { class: 'schedule-options' }, h('div', { class: 'field-row' }, ...Object.values(fields)));
    return { element, fields, read: () => given(fields, this.changed) };
  }

  retentionOptions() {
    const fields = {
      days: field('schedule.days', number(1, 36500, 365)),
      keep_at_least: field('schedule.keep_at_least', number(0, 1000000, 0)),
      tag: field('schedule.tag', text(64)),
      names: field('schedule.names', text(255), 'schedule.names_help'),
      max_share: field('schedule.max_share', number(1, 100, 20)),
    };
    const found = h('div', { class: 'schedule-preview', role: 'status' });
    const ask = h('button', { type: 'button', class: 'secondary small', text: 'schedule.preview', on: { click: () => this.preview(found) } });
    const element = h('div', { class: 'schedule-options' }, h('div', { class: 'field-row' }, ...Object.values(fields)),
      h('div', {}, ask), found);
    const read = () => {
      const options = given(fields, this.changed);
      return { ...options, max_share: options.max_share / 100 };
    };
    return { element, fields, read, found };
  }

  /** Show the fields that the choices ask for. */
  arrange() {
    const often = this.often.input.value;
    for (const [name, element] of Object.entries(this.when)) element.hidden = !SHOWN[often].includes(name);
    for (const [kind, { element }] of Object.entries(this.options)) element.hidden = this.kind.input.value !== kind;
    this.options.retention.found.replaceChildren();
  }

  /** Open the form with the knowledge bases that there are; with a schedule, to change that. */
  async open(schedule = null) {
    this.relanguage();
    const page = await call('GET', '/knowledge-bases', { query: { limit: '1000' } });
    this.kb.input.replaceChildren(...page.items.map((kb) => h('option', { value: kb.name }, kb.title || kb.name)));
    problemLine(this.problem, page.items.length ? null : 'schedule.no_kb');
    this.submit.disabled = !page.items.length;
    this.mark(schedule);
    if (schedule) this.fill(schedule);
    this.element.hidden = false;
    (schedule ? this.often : this.name).input.focus();
  }

  /** Let the form be that of a new schedule, or of one whose name, kind and knowledge base stay. */
  mark(schedule) {
    this.changed = schedule;
    bind(this.title, schedule ? 'schedule.change_title' : 'schedule.new', { name: schedule?.name });
    bind(this.submit, schedule ? 'schedule.save' : 'schedule.create');
    for (const { input } of [this.name, this.kind, this.kb]) input.disabled = Boolean(schedule);
    this.paused.hidden = Boolean(schedule);
  }

  /** Show a schedule as it is; its expression as such. */
  fill({ name, kind, knowledge_base: kb, cron, every_minutes: minutes, time_zone: zone, note, options }) {
    const set = ({ input }, value) => { input.value = value ?? ''; };
    for (const [element, value] of [[this.name, name], [this.kind, kind], [this.kb, kb], [this.note, note]]) set(element, value);
    set(this.often, minutes ? 'every' : 'cron');
    if (minutes) set(this.when.minutes, minutes);
    else set(this.when.cron, cron);
    set(this.when.zone, zone);
    const { fields, approve } = this.options[kind];
    for (const [option, element] of Object.entries(fields)) {
      if (options[option] === undefined) continue; // as the form has it by itself
      set(element, option === 'max_share' ? Math.round(options[option] * 100) : options[option]);
    }
    if (approve) approve.input.checked = Boolean(options.approve);
    this.arrange();
  }

  close() {
    this.mark(null);
    this.element.hidden = true;
    this.element.reset();
    this.arrange();
  }

  /** Weekdays in the current language, from Monday. */
  relanguage() {
    const chosen = this.when.weekday.input.value || '1';
    const day = new Intl.DateTimeFormat(locale(), { weekday: 'long', timeZone: 'UTC' });
    this.when.weekday.input.replaceChildren(...[1, 2, 3, 4, 5, 6, 0].map((number) =>
      h('option', { value: String(number) }, day.format(new Date(Date.UTC(2023, 0, 1 + number))))));
    this.when.weekday.input.value = chosen;
  }

  /** The first field that is wrong, with its fault shown; null if all are right. */
  fault() {
    const shown = [this.name, ...Object.values(this.when), ...Object.values(this.options[this.kind.input.value].fields)]
      .filter((element) => !element.hidden);
    const wrong = shown.find(({ input }) => !input.checkValidity());
    if (!NAME.test(this.name.input.value.trim())) return this.complain(this.name, 'schedule.name_wrong');
    if (!wrong) return null;
    const label = () => t(wrong.key);
    const { min, max } = wrong.input;
    return this.complain(wrong, min ? ['schedule.number_wrong', { label, min, max }] : ['schedule.missing', { label }]);
  }

  complain({ input }, problem) {
    problemLine(this.problem, problem);
    input.focus();
    return input;
  }

  /** When, as the API takes it. */
  timing() {
    const { at, weekday, day, minutes, cron, zone } = this.when;
    const [hour, minute] = at.input.value.split(':').map(Number);
    const often = this.often.input.value;
    if (often === 'every') return { every_minutes: Number(minutes.input.value) };
    const days = { daily: '* * *', workdays: '* * 1-5', weekly: `* * ${weekday.input.value}`, monthly: `${day.input.value} * *` };
    const expression = often === 'cron' ? cron.input.value : `${minute} ${hour} ${days[often]}`;
    return { cron: expression, time_zone: zone.input.value.trim() };
  }

  async save() {
    if (this.fault()) return;
    const { changed } = this;
    const kind = this.kind.input.value;
    const settings = { options: this.options[kind].read(), ...this.timing(), note: this.note.input.value.trim() };
    const name = this.name.input.value.trim();
    const added = { name, kind, knowledge_base: this.kb.input.value, paused: this.paused.input.checked };
    this.submit.disabled = true;
    try {
      const info = changed
        ? await call('PATCH', `/schedules/${encodeURIComponent(changed.name)}`, { body: settings })
        : await call('POST', '/schedules', { body: { ...added, ...settings } });
      this.close();
      this.onSaved(info, !changed);
    } catch (problem) {
      if (problem.status !== 401) problemLine(this.problem, problem);
    } finally {
      this.submit.disabled = false;
    }
  }

  /** Show what a retention with these options would delete now. */
  async preview(target) {
    try {
      const path = `/knowledge-bases/${encodeURIComponent(this.kb.input.value)}/retention-preview`;
      const found = await call('POST', path, { body: this.options.retention.read() });
      const line = h('p');
      if (found.expired) bind(line, 'schedule.preview_some', { n: found.expired, total: found.documents });
      else bind(line, 'schedule.preview_none');
      target.replaceChildren(line,
        h('ul', {}, ...found.items.map((item) =>
          h('li', {}, h('span', {}, item.name), h('span', { class: 'help', text: ['app.value', { value: () => moment(item.uploaded_at) }] })))));
      if (!found.allowed) target.append(h('p', { class: 'doc-reason', text: 'schedule.preview_waits' }));
    } catch (problem) {
      if (problem.status !== 401) problemLine(this.problem, problem);
    }
  }
}

/** The values of fields: numbers as numbers; empty ones are left out, but for texts that are to be emptied. */
function given(fields, isChange) {
  const values = Object.entries(fields).map(([name, { input }]) => [name, input.value.trim(), input.type]);
  return Object.fromEntries(values.filter(([, value, type]) => value || (isChange && type === 'text'))
    .map(([name, value, type]) => [name, type === 'number' ? Number(value) : value]));
}
