"""Evaluating models that separate voices, or take noise away from one."""
