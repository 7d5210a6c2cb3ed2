// The open conversation: its turns, the question in flight, and the text of an empty conversation.

import { call } from '../shared/api.js';
import { $ } from '../shared/dom.js';
import { bind, plain } from '../shared/i18n.js';
import { AnswerView } from './answer.js';
import { Composer } from './composer.js';
import { QuestionRun, isRunning, restore } from './question_run.js';

const AT_END = 60; // pixels

export class Chat {
  /** `onConversation(id)` after a first question created one, `onAsked()` after each; `onPassage(cited)` opens a source. */
  constructor({ onConversation, onAsked, onPassage }) {
    Object.assign(this, { onConversation, onAsked, onPassage, kb: null, id: null, visit: 0 });
    this.runs = new Set(); // questions being followed; more than one only after a reload
    this.composer = new Composer({
      onAsk: (asked) => this.ask(asked),
      onStop: () => this.stop(),
    });
    this.atEnd = true;
    $('thread').addEventListener('scroll', () => this.scrolled());
    // Keeps the view scrolled to the end, if it is there, while the answer grows.
    new ResizeObserver(() => (this.running && this.atEnd ? this.toEnd() : this.scrolled())).observe($('turns'));
    $('to-end').addEventListener('click', () => this.toEnd());
  }

  /** Show no conversation; a question in flight continues on the server. */
  close() {
    this.visit += 1;
    for (const run of this.runs) run.leave();
    this.runs.clear();
    this.id = null;
    $('turns').replaceChildren();
    this.composer.busy(false);
    this.title(null);
    this.empty();
  }

  /** Show a new conversation, or (with an id) a stored one. Throws a Problem if it cannot be loaded. */
  async open(kb, id) {
    this.close();
    this.kb = kb;
    this.id = id;
    $('turns').setAttribute('aria-busy', String(Boolean(id)));
    this.empty();
    if (!id) return;
    const { visit } = this;
    try {
      const conversation = await call('GET', `/conversations/${encodeURIComponent(id)}`);
      if (visit === this.visit) this.show(conversation);
    } finally {
      if (visit === this.visit) $('turns').setAttribute('aria-busy', 'false');
    }
  }

  show(conversation) {
    this.title(conversation.title);
    for (const info of conversation.turns) {
      const view = this.view(info.question, info.mode);
      if (isRunning(info)) this.run(view, (run) => run.resume(info));
      else restore(view, info);
    }
    this.empty();
    this.toEnd();
  }

  title(title) {
    if (title) plain($('ask-title'), title);
    else bind($('ask-title'), 'conversation.new');
    $('ask-title').title = title || '';
  }

  /** The text of an empty conversation, by the document counts of the knowledge base. */
  counts({ total = 0, pending = 0 } = {}) {
    this.total = total;
    this.composer.building(pending);
    this.empty();
  }

  empty() {
    $('ask-empty').hidden = $('turns').childElementCount > 0 || $('turns').getAttribute('aria-busy') === 'true';
    bind($('ask-empty-title'), this.total ? 'ask.empty_title' : 'ask.no_documents_title');
    bind($('ask-empty-help'), this.total ? 'ask.empty_help' : 'ask.no_documents_help');
    $('ask-add').hidden = Boolean(this.total);
  }

  get running() {
    return this.runs.size > 0;
  }

  view(question, mode) {
    const view = new AnswerView(question, {
      again: (wait) => !this.running && this.ask({ question, mode, wait }),
      passage: (cited) => this.onPassage(cited),
    });
    $('turns').append(view.element);
    return view;
  }

  ask({ question, mode, wait }) {
    const view = this.view(question, mode);
    const body = {
      question,
      ...(mode && { mode }),
      ...(wait && { wait_for_index: true }),
      ...(this.id && { conversation_id: this.id }),
    };
    this.empty();
    const { visit } = this;
    this.run(view, (run) => run.ask(this.kb, body, ({ conversation_id: id }) => {
      if (visit !== this.visit) return;
      if (this.id !== id) {
        this.id = id;
        this.title(question);
        this.onConversation(id);
      }
      this.onAsked();
    }));
    this.toEnd();
  }

  async run(view, start) {
    const run = new QuestionRun(view);
    this.runs.add(run);
    this.composer.busy(true);
    await start(run);
    this.finished(run);
  }

  finished(run) {
    if (!this.runs.delete(run)) return;
    this.composer.busy(this.running);
    if (this.atEnd) requestAnimationFrame(() => this.toEnd()); // its last lines too
    this.onAsked();
  }

  stop() {
    for (const run of this.runs) run.stop(() => this.finished(run));
  }

  toEnd() {
    $('thread').scrollTop = $('thread').scrollHeight;
    this.scrolled();
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = $('thread');
    this.atEnd = scrollHeight - scrollTop - clientHeight < AT_END;
    $('to-end').hidden = this.atEnd;
  }
}
