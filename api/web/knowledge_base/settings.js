// The settings panel: what a knowledge base is called, how it answers, how its index is cut, and its deletion.

import { call } from '../shared/api.js';
import { confirmAction } from '../shared/dialogs.js';
import { $, announce, h, notify, problemLine } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { indexAddress } from '../shared/route.js';
import { blame, changes, clearError, fill, isValid, showLeft } from './fields.js';
import { askToDelete } from './remove.js';

const INDEX = ['kb-max', 'kb-overlap', 'kb-model'];

export class KnowledgeBaseSettings {
  /** `onChanged(kb)`: it has another title. `onDeleted(kb)`: it is gone. */
  constructor({ onChanged, onDeleted }) {
    Object.assign(this, { onChanged, onDeleted, kb: null, opened: 0 });
    const form = $('kb-settings');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    form.addEventListener('input', (event) => {
      clearError(event.target);
      showLeft(event.target);
      problemLine($('kb-settings-problem'), null);
      this.mark();
    });
    $('kb-reset').addEventListener('click', () => {
      this.show(this.kb);
      $('settings-title').focus();
    });
    $('kb-index').addEventListener('submit', (event) => {
      event.preventDefault();
      this.reindex();
    });
    $('kb-index').addEventListener('input', () => problemLine($('kb-index-problem'), null));
    $('kb-remove').addEventListener('click', () => this.remove());
    window.addEventListener('beforeunload', (event) => this.isDirty && event.preventDefault());
  }

  get path() {
    return `/knowledge-bases/${encodeURIComponent(this.kb.name)}`;
  }

  get isDirty() {
    return Boolean(this.kb && changes(this.kb));
  }

  async open(name) {
    if (this.kb?.name === name) return;
    this.close();
    const visit = this.opened;
    try {
      const [kb, models] = await Promise.all([
        call('GET', `/knowledge-bases/${encodeURIComponent(name)}`),
        call('GET', '/embedding-models').catch(() => ({ items: [] })),
      ]);
      if (visit !== this.opened) return;
      $('kb-model').replaceChildren(...models.items.map((model) => h('option', { value: model.name }, model.name)));
      $('kb-model-field').hidden = models.items.length < 2; // there is no choice
      this.show(kb);
      $('kb-sections').hidden = kb.role !== 'manager';
      $('kb-denied').hidden = kb.role === 'manager';
    } catch (problem) {
      if (visit === this.opened && problem.status !== 401) notify(problem);
    }
  }

  close() {
    this.opened += 1;
    this.kb = null;
    $('kb-sections').hidden = $('kb-denied').hidden = true;
  }

  /** Show a knowledge base as the server has it. */
  show(kb) {
    this.kb = kb;
    bind($('kb-settings-name'), 'app.value', { value: kb.name });
    fill(kb);
    for (const id of ['kb-description', 'kb-instructions']) showLeft($(id));
    $('kb-max').value = kb.chunking.max_tokens;
    $('kb-overlap').value = kb.chunking.overlap_tokens;
    if (kb.embedding_model) $('kb-model').value = kb.embedding_model;
    bind($('kb-remove-help'), 'kb_settings.remove_help', { n: kb.documents.total });
    for (const id of ['kb-settings-problem', 'kb-index-problem']) problemLine($(id), null);
    this.mark();
  }

  /** Say whether something is not saved. */
  mark() {
    const { isDirty } = this;
    $('kb-save').disabled = $('kb-reset').disabled = !isDirty;
    $('kb-unsaved').hidden = !isDirty;
  }

  /** Ask whether what is not saved may be lost; resolves to whether to leave. */
  async mayLeave() {
    if (!this.isDirty) return true;
    const leave = await confirmAction('kb_settings.leave_title', 'kb_settings.leave_text', 'kb_settings.leave', 'kb_settings.stay');
    if (leave) this.close();
    return leave;
  }

  async save() {
    const body = changes(this.kb);
    if (!body || !isValid()) return;
    const visit = this.opened;
    $('kb-save').disabled = true;
    try {
      const kb = await call('PATCH', this.path, { body });
      if (visit !== this.opened) return;
      this.show({ ...this.kb, ...kb, role: this.kb.role });
      this.onChanged(kb);
      announce(t('kb_settings.saved'));
      notify('kb_settings.saved', 'good');
      $('settings-title').focus();
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      this.mark();
      if (problem.status !== 400 || !blame(problem)) problemLine($('kb-settings-problem'), problem);
    }
  }

  /** Go to the form of a new index with these values; nothing starts before it is asked for there. */
  reindex() {
    const [max, overlap, model] = INDEX.map($);
    const wrong = [max, overlap].find((input) => !input.checkValidity());
    if (wrong) {
      const label = document.querySelector(`label[for="${wrong.id}"]`);
      const params = { label: () => t(label.dataset.i18n), min: wrong.min, max: wrong.max };
      problemLine($('kb-index-problem'), ['kb_settings.number_wrong', params]);
      wrong.focus();
      return;
    }
    const query = { max: max.value, overlap: overlap.value };
    if (!$('kb-model-field').hidden && model.value && model.value !== this.kb.embedding_model) query.model = model.value;
    location.hash = indexAddress(this.kb.name, new URLSearchParams(query));
  }

  async remove() {
    const visit = this.opened;
    const now = await call('GET', this.path).catch(() => this.kb); // how many documents there are by now
    if (visit !== this.opened || !(await askToDelete(now)) || visit !== this.opened) return;
    try {
      await call('DELETE', this.path);
      if (visit !== this.opened) return;
      const { kb } = this;
      this.close();
      this.onDeleted(kb);
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    }
  }
}
