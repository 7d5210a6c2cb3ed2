// Settings of this device: theme and language.

import { $ } from '../shared/dom.js';
import { language, onLanguage, setLanguage } from '../shared/i18n.js';

const STORED = 'holdfast.theme'; // read by theme.js

export class Settings {
  constructor() {
    const root = document.documentElement;
    for (const radio of $('settings').querySelectorAll('[name="theme"]')) {
      radio.checked = radio.value === root.dataset.theme;
      radio.addEventListener('change', () => this.theme(radio.value));
    }
    $('language').addEventListener('click', () => setLanguage(language() === 'zh' ? 'en' : 'zh'));
    $('settings').addEventListener('toggle', (event) => {
      $('settings-open').setAttribute('aria-expanded', String(event.newState === 'open'));
    });
    $('key-mod').textContent = /Mac|iP/.test(navigator.platform) ? '⌘' : 'Ctrl';
    onLanguage(() => {
      const other = language() === 'zh' ? ['English', 'en'] : ['中文', 'zh-CN'];
      [$('language').textContent, $('language').lang] = other;
    });
  }

  theme(wanted) {
    document.documentElement.dataset.theme = wanted;
    try {
      localStorage.setItem(STORED, wanted);
    } catch {
      // Storage is disabled: the choice lasts until the page is left.
    }
  }
}
