"""What a restoration has come to, in words."""

from __future__ import annotations

from runs.rows import RestoredRow


def words(row: RestoredRow | None) -> dict[str, str]:
    """Failures, PSNR, SSIM and noise, where there is any: of the degraded images → of the restored ones."""
    if row is None:
        return {}
    found = {"failed": f"{row.failed:,}"} if row.failed else {}
    if row.psnr is not None:
        before = "" if row.input_psnr is None else f"{row.input_psnr:.2f} → "
        found["PSNR"] = f"{before}{row.psnr:.2f} dB"
    if row.ssim is not None:
        before = "" if row.input_ssim is None else f"{row.input_ssim:.3f} → "
        found["SSIM"] = f"{before}{row.ssim:.3f}"
    if row.sigma:
        found["noise"] = f"{row.sigma:.3f}"
    return found
