SELECT count(*) FROM ff_exec_core
WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'eligible_now' AND public_state = 'waiting';
