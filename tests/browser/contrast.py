"""Which text on a page is too faint to read, asked of the page itself.

Not axe-core: it comes from another package registry, and this one question needs thirty lines.
"""

from __future__ import annotations

# Returns each visible text whose contrast with the ground under it is below 4.5:1 (WCAG 2.2 §1.4.3). Colours
# are painted on a canvas, so that alpha, color-mix and named colours all come out as the browser shows them.
FAINT = """root => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const paint = layers => {
        canvas.globalCompositeOperation = 'source-over';
        canvas.fillStyle = 'white';
        canvas.fillRect(0, 0, 1, 1);
        for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = rgb => {
        const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = [];
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
        const grounds = [];
        for (let up = node; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
        const ground = luminance(paint(grounds));
        const text = luminance(paint([...grounds, getComputedStyle(node).color]));
        const ratio = (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
        if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${texts.currentNode.data}`);
    }
    return faint;
}"""
