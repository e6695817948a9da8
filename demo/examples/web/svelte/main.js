import { mount } from 'svelte';
import Digits from './Digits.svelte';

mount(Digits, { target: document.body });
