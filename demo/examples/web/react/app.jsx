// A component that trains while it is shown.
import { digits } from 'everygrad/data';
import { setAssetsUrl, trainer } from 'everygrad/worker';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

setAssetsUrl(new URL('everygrad/', document.baseURI));
const rule = { loss: ['crossEntropy'], optimizer: ['adam'], epochs: 3 };

async function learn(lab, onEpoch) {
  const { train, test: validation } = await digits();
  const model = await lab.create([['linear', 784, 100], ['relu'], ['linear', 100, 10]], 1);
  await lab.fit(model, train, { ...rule, validation, onEpoch });
}

function Digits() {
  const [{ epoch, validationAccuracy: right }, setReport] = useState({ epoch: 0 });
  useEffect(() => {
    const lab = trainer();
    lab.then((l) => learn(l, setReport)).catch(reportError);
    return () => lab.then((l) => l.terminate());
  }, []);
  return <output data-accuracy={epoch === 3 ? right : undefined}>{`epoch ${epoch}: ${right}`}</output>;
}

createRoot(document.getElementById('root')).render(<Digits />);
