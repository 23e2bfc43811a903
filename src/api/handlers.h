/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The handlers that the route table names, a file for each group. */
#pragma once

#include "api/request.h"

/* h_system.c */
int h_index(struct request *r);
int h_healthz(struct request *r);
int h_readyz(struct request *r);
int h_metrics(struct request *r);
int h_version(struct request *r);
int h_whoami(struct request *r);
int h_openid_configuration(struct request *r);
int h_jwks(struct request *r);
int h_sealing_key(struct request *r);
int h_openapi(struct request *r);
int h_schema(struct request *r);
/* h_config.c */
int h_config(struct request *r);
int h_reload(struct request *r);
int h_doctor(struct request *r);
/* h_providers.c */
int h_providers(struct request *r);
int h_provider(struct request *r);
int h_provider_check(struct request *r);
/* h_jobs.c */
int h_validate(struct request *r);
int h_convert(struct request *r);
/* h_job.c */
int h_jobs(struct request *r);
int h_job_put(struct request *r);
int h_job(struct request *r);
int h_job_delete(struct request *r);
int h_revisions(struct request *r);
int h_revision(struct request *r);
/* h_job_diff.c */
int h_revision_diff(struct request *r);
/* h_resources.c: by the route's kind */
int h_resources(struct request *r);
int h_resource(struct request *r);
int h_resource_put(struct request *r);
int h_resource_delete(struct request *r);
/* h_tokens.c */
int h_tokens(struct request *r);
int h_token(struct request *r);
int h_token_create(struct request *r);
int h_token_delete(struct request *r);
/* h_run_create.c */
int h_run_create(struct request *r);
int h_job_run(struct request *r);
int h_run_again(struct request *r);
/* h_schedules.c */
int h_schedules(struct request *r);
int h_schedule(struct request *r);
int h_schedule_preview(struct request *r);
int h_schedule_pause(struct request *r);
int h_schedule_resume(struct request *r);
/* h_hooks.c */
int h_hooks(struct request *r);
int h_hook_deliveries(struct request *r);
int h_hook_rotate(struct request *r);
/* h_hook_call.c */
int h_hook_call(struct request *r);
/* h_plan.c */
int h_plan(struct request *r);
int h_job_plan(struct request *r);
/* h_policies.c */
int h_policy_test(struct request *r);
/* h_why.c */
int h_run_why(struct request *r);
int h_queue(struct request *r);
/* h_approvals.c */
int h_run_approvals(struct request *r);
int h_run_approval(struct request *r);
int h_run_approve(struct request *r);
int h_approvals(struct request *r);
/* h_maintenance.c */
int h_maintenance(struct request *r);
int h_maintenance_set(struct request *r);
/* h_leases.c */
int h_leases(struct request *r);
int h_lease_revoke(struct request *r);
/* h_caches.c */
int h_caches(struct request *r);
int h_cache(struct request *r);
int h_cache_delete(struct request *r);
int h_caches_delete(struct request *r);
/* The cache named by the path; answers 404 and returns -1 when it is none. */
MUST_USE int param_cache(struct request *r, unsigned i, struct ulid *ret);
/* h_backup.c */
int h_backup(struct request *r);
int h_restore_begin(struct request *r);
int h_restore(struct request *r);
/* h_runs.c */
int h_runs(struct request *r);
int h_run_delete(struct request *r);
int h_run_cancel(struct request *r);
int h_record(struct request *r);
int h_tasks(struct request *r);
int h_task(struct request *r);
int h_attempts(struct request *r);
int h_attempt(struct request *r);
/* h_run_get.c */
int h_run(struct request *r);
/* h_logs.c */
int h_run_log(struct request *r);
int h_task_log(struct request *r);
int h_attempt_log(struct request *r);
/* h_events.c */
int h_run_events(struct request *r);
int h_events(struct request *r);
/* h_artifacts.c */
int h_artifacts(struct request *r);
int h_artifact(struct request *r);
/* h_secrets.c */
int h_secrets(struct request *r);
int h_secret(struct request *r);
int h_secret_versions(struct request *r);
int h_secret_version_delete(struct request *r);
int h_secret_version_undelete(struct request *r);
int h_secret_version_destroy(struct request *r);
int h_secret_describe(struct request *r);
/* h_seal.c */
int h_seal_status(struct request *r);
int h_seal(struct request *r);
int h_unseal(struct request *r);
int h_slots(struct request *r);
int h_slot_add(struct request *r);
int h_slot_remove(struct request *r);
int h_rotate(struct request *r);
int h_rekey(struct request *r);
/* h_secret_move.c */
int h_secret_recipient(struct request *r);
int h_secret_export(struct request *r);
int h_secret_import(struct request *r);
int h_secret_put(struct request *r);
int h_secret_delete(struct request *r);
