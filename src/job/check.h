/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the parts of a job say of each other; for src/job alone. */
#pragma once

#include "job/job.h"

/* Fills needs and stdin_from of every task; adds problems. */
void check_job(struct job *j, struct problems *ps);
/* check_refs.c: secrets, files, names in expressions. */
void check_refs(struct job *j, struct problems *ps);
/* Is `need` a need of task i, directly or not? */
bool check_needs(const struct job *j, size_t i, size_t need);
/* Instances of a task's matrix: 1 without. */
size_t check_matrix_size(const struct doc_node *matrix);
