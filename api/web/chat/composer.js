// The form of a question: its text, the answer mode, whether to wait for the index, and the Stop button.

import { $ } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';

export class Composer {
  /** `onAsk({question, mode, wait})`, `onStop()`. */
  constructor({ onAsk, onStop }) {
    this.onAsk = onAsk;
    this.running = false;
    $('ask-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    $('question').addEventListener('keydown', (event) => {
      // Ignores the Enter that ends an input method's composition (Chinese, Japanese).
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.submit();
    });
    $('ask-stop').addEventListener('click', () => {
      $('ask-stop').disabled = true;
      onStop();
    });
  }

  /** Set the number of documents that are not indexed yet. */
  building(pending) {
    $('ask-building').hidden = !pending;
    if (!pending) $('ask-wait').checked = false;
    bind($('ask-building-text'), 'ask.building', { n: pending });
  }

  submit() {
    const question = $('question').value.trim();
    if (!question || this.running) return;
    $('question').value = '';
    this.onAsk({ question, mode: new FormData($('ask-form')).get('mode'), wait: $('ask-wait').checked });
  }

  /** Show Stop instead of Ask while a question is in flight. */
  busy(running) {
    const hadFocus = [$('ask-stop'), $('ask-send')].includes(document.activeElement);
    this.running = running;
    $('ask-send').hidden = running;
    $('ask-stop').hidden = !running;
    $('ask-stop').disabled = false;
    if (hadFocus) this.focus();
  }

  focus() {
    $('question').focus();
  }
}
