import { useState } from "react";

/** A new key, which is shown once. */
export function Secret({ of, onClose }: { of: string; onClose: () => void }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div className="success" role="status">
      <p><strong>Copy the key now: it is not shown again.</strong></p>
      <p><code>{of}</code></p>
      <p>
        <button type="button" className="button small" onClick={() => navigator.clipboard.writeText(of).then(() => setCopied(true))}>{isCopied ? "Copied" : "Copy"}</button>{" "}
        <button type="button" className="button small" onClick={onClose}>Hide it</button>
      </p>
    </div>
  );
}
