import { Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { Answer, Progress } from './Digits.jsx';

createRoot(document.querySelector('output')).render(
  <Suspense fallback={<Progress />}>
    <Answer />
  </Suspense>,
);
