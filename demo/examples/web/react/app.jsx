// A component that trains while it is shown.
import { digits } from 'everygrad/data';
import { setAssetsUrl, trainer } from 'everygrad/worker';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

setAssetsUrl(new URL('everygrad/', document.baseURI));

async function learn({ signal, onEpoch }) {
  const { train, test: validation } = await digits();
  const lab = await trainer();
  if (signal.aborted) return lab.terminate();
  signal.addEventListener('abort', () => lab.terminate());
  const model = await lab.create([['linear', 784, 100], ['relu'], ['linear', 100, 10]], 1);
  await lab.fit(model, train, {
    loss: ['crossEntropy'],
    optimizer: ['adam'],
    epochs: 3,
    validation,
    onEpoch,
    signal,
  });
}

function Digits() {
  const [{ epoch, validationAccuracy }, setReport] = useState({ epoch: 0, validationAccuracy: 0 });
  useEffect(() => {
    const gone = new AbortController();
    learn({ signal: gone.signal, onEpoch: setReport }).catch(
      (error) => gone.signal.aborted || reportError(error),
    );
    return () => gone.abort();
  }, []);
  return (
    <output data-accuracy={epoch === 3 ? validationAccuracy : undefined}>
      epoch {epoch}: {validationAccuracy}
    </output>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <Digits />
  </StrictMode>,
);
